import { type FormEvent, useEffect, useState } from "react";
import { useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { sentenceOf } from "@/lib/api/errors";
import type { Order } from "@/lib/api/types";
import { t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field } from "@/ui/Field";
import { Failure, Loading } from "@/ui/States";
import type { OpenOrder } from "./account";
import { isOfRow } from "./amend";
import { useUnitsById } from "./cells";
import type { Meant } from "./draft";
import { priced } from "./feeCap";
import { Mirrored, useMirror } from "./Mirrored";
import { amendOrder, typedOrder } from "./place";
import { Leg } from "./Summary";
import { usePreview } from "./usePreview";

/** Change price and quantity of an open order in place: another signed order on the same nonce. */
export function AmendDialog({ order, onClose }: { readonly order: OpenOrder; readonly onClose: () => void }) {
  const [full, setFull] = useState<Order | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    checkedOrder(order, () => current).then(
      (found) => current && setFull(found),
      (error) => current && setFailed(sentenceOf(error)),
    );
    return () => {
      current = false;
    };
  }, [order]);
  return (
    <Dialog title={t("amend.title")} onClose={onClose}>
      {failed && <Failure>{failed}</Failure>}
      {full ? (
        <Form order={order} full={full} onClose={onClose} />
      ) : (
        !failed && <Loading label={t("loading")} />
      )}
    </Dialog>
  );
}

/** The whole order, if it is the one in the row: else an amend would sign conditions that nobody saw. */
async function checkedOrder(row: OpenOrder, isWanted: () => boolean): Promise<Order | null> {
  const full = await fullOrder(row.order_id, isWanted);
  const account = useWallet.getState().wallet?.signer.address;
  if (!full) return null;
  if (!account) throw new Error("connect a wallet first");
  const { digestOf } = await import("@/lib/chain/keys");
  if (!isOfRow(row, full, digestOf(typedOrder({ ...full, account })))) throw new Error(t("amend.differs"));
  return full;
}

const LISTED = 100;
const LOOK_MS = 300;

/** The whole order from the mirror, which has a new one a little later than the stream. */
async function fullOrder(id: number, isWanted: () => boolean): Promise<Order | null> {
  while (isWanted()) {
    const { orders } = await api.orders({ status: "open", limit: LISTED });
    const found = orders.find((one) => one.order_id === id);
    if (found) return found;
    if (orders.length === LISTED) return (await api.get<{ order: Order }>(`/v1/orders/${id}`)).order;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return null;
}

interface FormProps {
  readonly order: OpenOrder;
  readonly full: Order;
  readonly onClose: () => void;
}

function Form({ order, full, onClose }: FormProps) {
  const units = useUnitsById()(order.market);
  const [price, setPrice] = useState(units?.price(order.price) ?? "");
  const [quantity, setQuantity] = useState(
    units ? trimmed(order.quantity * units.lotSize, units.base.decimals) : "",
  );
  const action = useAction();
  const [mirrored, mirror] = useMirror();
  const [newPrice, newLots] = [units?.parsePrice(price) ?? null, units?.parseQuantity(quantity) ?? null];
  const meant = meantBy(order, full, newPrice, newLots);
  const { preview, refused } = usePreview(meant, order.market);
  const ready = priced(meant, preview);
  if (!units) return null;
  const used = order.quantity - order.remaining;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready) return;
    if (await action.run(() => amendOrder(ready, order.market, BigInt(order.nonce), mirror))) onClose();
  };
  return (
    <form onSubmit={(event) => void send(event)} className="flex flex-col gap-3">
      <Field
        label={t("form.price")}
        value={price}
        onChange={setPrice}
        inputMode="decimal"
        unit={units.quote.symbol}
        error={newPrice ? undefined : t("form.off_tick", { tick: units.tickText })}
      />
      <Field
        label={t("amend.quantity")}
        value={quantity}
        onChange={setQuantity}
        inputMode="decimal"
        unit={units.base.symbol}
        error={
          !newLots
            ? t("form.off_lot", { lot: units.lotText, asset: units.base.symbol })
            : newLots <= used
              ? t("amend.used", { used: units.quantity(used) })
              : undefined
        }
      />
      <p className="text-xs text-soft">{t("amend.explain")}</p>
      {meant && <Leg meant={meant} preview={preview} units={units} />}
      {refused && <Failure>{refused}</Failure>}
      {action.failed && <Failure>{action.failed}</Failure>}
      {mirrored && <Mirrored data={mirrored} />}
      <Button
        type="submit"
        kind="primary"
        busy={action.busy}
        disabled={!ready || !newLots || newLots <= used}
      >
        {t("orders.amend")}
      </Button>
    </form>
  );
}

function meantBy(order: OpenOrder, full: Order, price: bigint | null, quantity: bigint | null): Meant | null {
  if (!price || !quantity || order.side === "buy_quote") return null;
  return {
    side: order.side,
    price,
    quantity,
    triggerPrice: BigInt(full.trigger_price),
    terms: BigInt(full.terms),
    expiry: full.expiry,
    singleFill: false,
  };
}
