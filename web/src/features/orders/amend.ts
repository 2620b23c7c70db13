/** Which order an amend takes the place of: what the row says of it, and what it was signed with. */
import type { Order } from "@/lib/api/types";
import type { OpenOrder } from "./account";

/**
 * Whether the order that the mirror tells of is the one in the row: by `hash`, which is of what the mirror tells under the
 * user's own account, and by all that the row shows.
 */
export function isOfRow(row: OpenOrder, full: Order, hash: string): boolean {
  return (
    hash === row.order_hash.toLowerCase() &&
    full.market === row.market &&
    full.side === row.side &&
    full.nonce === row.nonce &&
    full.expiry === row.expiry &&
    BigInt(full.price) === row.price &&
    BigInt(full.quantity) === row.quantity &&
    // a row that does not say yet what it waits for says 0
    (row.triggerPrice === 0n || BigInt(full.trigger_price) === row.triggerPrice)
  );
}
