import { type FormEvent, useEffect, useState } from "react";
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
import { useUnitsById } from "./cells";
import { amendOrder } from "./place";

/** Change price and quantity of an open order in place: another signed order on the same nonce. */
export function AmendDialog({ order, onClose }: { readonly order: OpenOrder; readonly onClose: () => void }) {
  const [full, setFull] = useState<Order | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    api.get<{ order: Order }>(`/v1/orders/${order.order_id}`).then(
      (answer) => current && setFull(answer.order),
      (error) => current && setFailed(sentenceOf(error)),
    );
    return () => {
      current = false;
    };
  }, [order.order_id]);
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
  if (!units) return null;
  const [newPrice, newLots] = [units.parsePrice(price), units.parseQuantity(quantity)];
  const used = order.quantity - order.remaining;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!newPrice || !newLots || order.side === "buy_quote") return;
    const meant = {
      side: order.side,
      price: newPrice,
      quantity: newLots,
      triggerPrice: BigInt(full.trigger_price),
      terms: BigInt(full.terms),
      expiry: full.expiry,
      singleFill: false,
    };
    if (await action.run(() => amendOrder(meant, order.market, BigInt(order.nonce)))) onClose();
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
      {action.failed && <Failure>{action.failed}</Failure>}
      <Button
        type="submit"
        kind="primary"
        busy={action.busy}
        disabled={!newPrice || !newLots || newLots <= used}
      >
        {t("orders.amend")}
      </Button>
    </form>
  );
}
