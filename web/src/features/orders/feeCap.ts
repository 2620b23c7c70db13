/** The fee that an order allows: what is shown is what is signed, and neither is above what the contract ever takes. */
import type { Preview } from "@/lib/api/types";
import type { Meant } from "./draft";

const BPS = 10_000n;

/** The quote that changes hands at the order's own limit. */
export const worstQuote = (meant: Pick<Meant, "side" | "price" | "quantity">): bigint =>
  meant.side === "buy_quote" ? meant.quantity : meant.price * meant.quantity;

/** The most that an order pays under a cap, at its own limit. */
export const feeMost = (meant: Pick<Meant, "side" | "price" | "quantity">, capBps: number): bigint =>
  (worstQuote(meant) * BigInt(capBps)) / BPS;

/** Whether a preview's cap may be signed: whole, and within the contract's own. */
export const isCapWithin = (capBps: number, contractBps: number): boolean =>
  Number.isInteger(capBps) && capBps >= 0 && capBps <= contractBps;

/** What of an order its fee cap depends on; a market order's price moves with the book, and its group with the clock. */
export function previewKey(meant: Meant): string {
  const terms = meant.terms & ((1n << 96n) - 1n);
  const price = meant.singleFill ? "" : meant.price;
  return [meant.side, price, meant.quantity, meant.triggerPrice, terms].join();
}

/** An order with the cap that is shown for it. */
export interface Priced {
  readonly meant: Meant;
  readonly feeCap: number;
}

/** An order that may be signed: only with a preview on the page. */
export const priced = (meant: Meant | null, preview: Preview | null): Priced | null =>
  meant && preview && { meant, feeCap: preview.max_fee_bps };
