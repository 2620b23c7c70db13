import { useState } from "react";
import type { Fields, TypedData } from "@/lib/chain/typedData";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { useUnitsById } from "./cells";
import type { Mirror } from "./place";
import { conditionsOf } from "./words";

/** What the wallet is asked to sign now, and the mirror that is told of it. */
export function useMirror(): [TypedData | null, Mirror] {
  const [data, setData] = useState<TypedData | null>(null);
  const mirror = (asked: TypedData) => {
    setData(asked);
    return () => setData(null);
  };
  return [data, mirror];
}

/** What the wallet is asking the user to sign, in plain words and field by field, to compare with the wallet's window. */
export function Mirrored({ data }: { readonly data: TypedData }) {
  const units = useUnitsById();
  return (
    <div
      role="status"
      className="flex flex-col gap-2 rounded-md border border-accent bg-accent/10 p-3 text-xs"
    >
      <p className="font-semibold text-strong">{t("mirror.title")}</p>
      {ordersOf(data).map((order) => {
        const market = units(Number(order.market));
        return market && <OrderWords key={`${order.nonce}`} order={order} units={market} />;
      })}
      {(data.primaryType === "Cancel" || data.primaryType === "MassCancel") && <p>{t("mirror.cancel")}</p>}
      {data.primaryType === "Countdown" && <p>{t("mirror.countdown_off")}</p>}
      {data.primaryType === "TradingStop" && (
        <p>{t(data.message.stopped ? "mirror.stop" : "mirror.start")}</p>
      )}
      {data.primaryType === "BulkOrder" && <p>{t("mirror.one_of_two")}</p>}
      {fieldsOf(data).map((fields) => (
        <dl key={`${fields.nonce}`} className="grid grid-cols-[auto_1fr] gap-x-3 text-soft">
          {Object.entries(fields).map(([name, value]) => (
            <div key={name} className="contents">
              <dt dir="ltr">{name}</dt>
              <dd dir="ltr" className="break-all text-end font-mono text-text">{`${value}`}</dd>
            </div>
          ))}
        </dl>
      ))}
    </div>
  );
}

const fieldsOf = ({ primaryType, message }: TypedData): readonly Fields[] =>
  primaryType === "BulkOrder" ? (message.tree as readonly Fields[]) : [message as Fields];

const ordersOf = (data: TypedData): readonly Fields[] =>
  data.primaryType === "Order" || data.primaryType === "BulkOrder" ? fieldsOf(data) : [];

function OrderWords({ order, units }: { readonly order: Fields; readonly units: MarketUnits }) {
  const { side, price, quantity, expiry, trigger_price, terms, max_fee_bps } = order as Record<
    string,
    bigint
  >;
  const params = {
    quantity: side === 2n ? units.quoteAmount(quantity ?? 0n) : localNumber(units.quantity(quantity ?? 0n)),
    asset: side === 2n ? units.quote.symbol : units.base.symbol,
    price: localNumber(units.price(price ?? 0n)),
    quote: units.quote.symbol,
    fee: `${max_fee_bps}`,
    until: localDateTime(Number(expiry) * 1_000),
  };
  const conditions = conditionsOf(
    { triggerPrice: trigger_price ?? 0n, terms: terms ?? 0n, expiry: Number(expiry) },
    units,
  );
  return (
    <div>
      <p>{t(side === 1n ? "mirror.sell" : side === 0n ? "mirror.buy" : "mirror.buy_quote", params)}</p>
      <ul className="list-disc ps-5 text-strong">
        {conditions.map(([name, value]) => (
          <li key={name}>
            {name}: <bdi>{value}</bdi>
          </li>
        ))}
      </ul>
    </div>
  );
}
