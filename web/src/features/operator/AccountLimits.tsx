import { useState } from "react";
import { useExchange } from "@/app/exchange";
import type { Asset, OperatorAccount } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { Field, Select } from "@/ui/Field";
import { Failure } from "@/ui/States";
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

/** An amount of ledger units as people read it. */
const inCoins = (units: string, { decimals, symbol }: Asset): string =>
  `${localNumber(trimmed(BigInt(units), decimals))} ${symbol}`;

/** How much an account may have open. */
export function LimitsSaid({ account }: { readonly account: Account }) {
  const quotes = useQuotes();
  if (!account.brakes) return <NotKnown />;
  if (!account.limits) return <>–</>;
  const { max_open_orders, max_open_notional } = account.limits;
  const said = Object.entries(max_open_notional).map(([id, most]) => {
    const quote = quotes.find((asset) => `${asset.asset_id}` === id);
    return quote ? inCoins(most, quote) : `${id}: ${localNumber(most)}`;
  });
  return (
    <bdi data-testid="account-limits">
      {[c("accounts.limits_orders", { count: localNumber(`${max_open_orders}`) }), ...said].join(", ")}
    </bdi>
  );
}

/** What only the engine knows, while it is away. */
export const NotKnown = () => <span className="text-warn">{c("accounts.not_known")}</span>;

interface Props {
  readonly account: Account;
  readonly then: () => void;
  readonly onClose: () => void;
}

interface Typed {
  readonly orders?: string | undefined;
  readonly notional?: string | undefined;
}

/** Bound how much an account has open in orders, in all markets together. */
export function LimitsDialog({ account, then, onClose }: Props) {
  const quotes = useQuotes();
  const limits = account.limits;
  const [asset, setAsset] = useState(`${quotes[0]?.asset_id ?? 0}`);
  /** What is typed; as long as nothing is, what holds. */
  const [typed, setTyped] = useState<Typed>({});
  const orders = typed.orders ?? (limits ? `${limits.own_max_open_orders}` : "");
  const notional = typed.notional ?? (limits ? (limits.max_open_notional[asset] ?? "0") : "");
  const choose = (id: string) => {
    setAsset(id);
    setTyped({ ...typed, notional: undefined });
  };
  const quote = quotes.find((one) => `${one.asset_id}` === asset);
  const isAmount = AMOUNT.test(notional);
  const good = /^\d{1,7}$/.test(orders) && Number(orders) <= MOST_ORDERS && isAmount;
  const fields = (
    <div className="flex flex-col gap-2">
      {!limits && <Failure>{c("accounts.limits_not_known")}</Failure>}
      <Field
        label={c("accounts.open")}
        inputMode="numeric"
        value={orders}
        disabled={!limits}
        onChange={(text) => setTyped({ ...typed, orders: text })}
      />
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
        disabled={!limits}
        hint={quote && isAmount && notional !== "0" ? inCoins(notional, quote) : undefined}
        onChange={(text) => setTyped({ ...typed, notional: text })}
      />
    </div>
  );
  return (
    <Confirm
      asked={{
        title: c("accounts.limits_set"),
        effects: [c("accounts.limits_1"), c("accounts.limits_2")],
        confirm: c("accounts.limits_set"),
        ready: good && limits !== null && quote !== undefined,
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
