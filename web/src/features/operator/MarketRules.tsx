import { useState } from "react";
import { useExchange } from "@/app/exchange";
import type { OperatorMarket } from "@/lib/api/types";
import { Field } from "@/ui/Field";
import { Confirm } from "./Confirm";
import { operator } from "./client";
import { feesOf } from "./rates";
import { c } from "./texts";

const MAX_HOURS = 90 * 24;

interface Props {
  readonly market: OperatorMarket;
  readonly then: () => void;
  readonly onClose: () => void;
}

/** Announce the fees of orders to come in a market. */
export function FeesDialog({ market, then, onClose }: Props) {
  const [rates, setRates] = useState("");
  const [floor, setFloor] = useState("0");
  const [hours, setHours] = useState("0");
  const decimals = useExchange((known) => known.units.get(market.symbol)?.quote.decimals ?? 0);
  const found = feesOf(rates, floor, decimals);
  const later = /^\d{1,4}$/.test(hours) && Number(hours) <= MAX_HOURS;
  const fields = (
    <div className="flex flex-col gap-2">
      <Field
        label={c("fees.rates")}
        dir="ltr"
        value={rates}
        onChange={setRates}
        placeholder="2:5, 1:3.5"
        hint={c("fees.rates_hint")}
        error={rates && !found ? c("fees.wrong") : undefined}
      />
      <Field label={c("fees.floor")} inputMode="decimal" value={floor} onChange={setFloor} />
      <Field label={c("markets.after_hours")} inputMode="numeric" value={hours} onChange={setHours} />
    </div>
  );
  return (
    <Confirm
      asked={{
        title: c("markets.fees", { market: market.symbol }),
        effects: [c("fees.1"), c("fees.2"), c("fees.3")],
        confirm: c("markets.fees", { market: market.symbol }),
        ready: found !== null && later,
        fields,
        run: async (reason) => {
          if (!found) throw new Error(c("fees.wrong"));
          const after_seconds = Number(hours) * 3_600;
          const done = await operator.fees(market.symbol, { ...found, after_seconds, reason });
          then();
          return done;
        },
      }}
      onClose={onClose}
    />
  );
}

const BOUNDS = [
  "collar_bps",
  "max_quantity",
  "max_notional",
  "max_open_orders",
  "max_open_notional",
  "band_bps",
] as const;
const NUMBERS = new Set<string>(["collar_bps", "max_open_orders", "band_bps"]);

/** Bound orders and accounts in a market, instead of what was bounded before. */
export function BoundsDialog({ market, then, onClose }: Props) {
  const [values, setValues] = useState<Readonly<Record<string, string>>>(
    Object.fromEntries(BOUNDS.map((name) => [name, `${market[name]}`])),
  );
  const good = BOUNDS.every((name) => /^(0|[1-9]\d{0,18})$/.test(values[name] ?? ""));
  const fields = (
    <div className="flex flex-col gap-2">
      {BOUNDS.map((name) => (
        <Field
          key={name}
          label={c(`bounds.${name}`)}
          inputMode="numeric"
          value={values[name] ?? ""}
          onChange={(value) => setValues((before) => ({ ...before, [name]: value }))}
        />
      ))}
    </div>
  );
  return (
    <Confirm
      asked={{
        title: c("markets.bound", { market: market.symbol }),
        effects: [c("bounds.1"), c("bounds.2")],
        confirm: c("markets.bound", { market: market.symbol }),
        ready: good,
        fields,
        run: async (reason) => {
          const said = BOUNDS.map((name) => [name, NUMBERS.has(name) ? Number(values[name]) : values[name]]);
          const done = await operator.bounds(market.symbol, { ...Object.fromEntries(said), reason });
          then();
          return done;
        },
      }}
      onClose={onClose}
    />
  );
}
