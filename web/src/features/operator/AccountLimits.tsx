import { useState } from "react";
import { useExchange } from "@/app/exchange";
import type { OperatorAccount } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import { Field, Select } from "@/ui/Field";
import { Confirm } from "./Confirm";
import { operator } from "./client";
import { c } from "./texts";

type Account = OperatorAccount["account"];

const MOST_ORDERS = 1_000_000;
const AMOUNT = /^(0|[1-9]\d{0,18})$/;

/** The assets that markets are quoted in. */
function useQuotes() {
  const exchange = useExchange((known) => known.exchange);
  const quotes = new Set(exchange?.markets.map((market) => market.quote_asset));
  return exchange?.assets.filter((asset) => quotes.has(asset.asset_id)) ?? [];
}

/** How much an account may have open. */
export function LimitsSaid({ account }: { readonly account: Account }) {
  const quotes = useQuotes();
  if (!account.limits) return <>–</>;
  const { max_open_orders, max_open_notional } = account.limits;
  const said = Object.entries(max_open_notional).map(([id, most]) => {
    const symbol = quotes.find((asset) => `${asset.asset_id}` === id)?.symbol ?? id;
    return `${symbol}: ${localNumber(most)}`;
  });
  return (
    <bdi data-testid="account-limits">
      {[c("accounts.limits_orders", { count: localNumber(`${max_open_orders}`) }), ...said].join(", ")}
    </bdi>
  );
}

interface Props {
  readonly account: Account;
  readonly then: () => void;
  readonly onClose: () => void;
}

/** Bound how much an account has open in orders, in all markets together. */
export function LimitsDialog({ account, then, onClose }: Props) {
  const quotes = useQuotes();
  const known = account.limits?.max_open_notional ?? {};
  const [orders, setOrders] = useState(`${account.limits?.own_max_open_orders ?? 0}`);
  const [asset, setAsset] = useState(`${quotes[0]?.asset_id ?? 0}`);
  const [notional, setNotional] = useState(known[asset] ?? "0");
  const choose = (id: string) => {
    setAsset(id);
    setNotional(known[id] ?? "0");
  };
  const good = /^\d{1,7}$/.test(orders) && Number(orders) <= MOST_ORDERS && AMOUNT.test(notional);
  const fields = (
    <div className="flex flex-col gap-2">
      <Field label={c("accounts.open")} inputMode="numeric" value={orders} onChange={setOrders} />
      <Select
        label={c("accounts.limits_asset")}
        value={asset}
        onChange={choose}
        options={quotes.map((one) => ({ value: `${one.asset_id}`, text: one.symbol }))}
      />
      <Field
        label={c("accounts.limits_notional")}
        inputMode="numeric"
        value={notional}
        onChange={setNotional}
      />
    </div>
  );
  return (
    <Confirm
      asked={{
        title: c("accounts.limits_set"),
        effects: [c("accounts.limits_1"), c("accounts.limits_2")],
        confirm: c("accounts.limits_set"),
        ready: good && quotes.length > 0,
        fields,
        run: async (reason) => {
          const done = await operator.setLimits(account.account, {
            max_open_orders: Number(orders),
            asset_id: Number(asset),
            max_open_notional: notional,
            reason,
          });
          then();
          return done;
        },
      }}
      onClose={onClose}
    />
  );
}
