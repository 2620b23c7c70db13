import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { exchangeNow, useExchange, useMarketStatus } from "@/app/exchange";
import { useShortcuts } from "@/app/shortcuts";
import { type LiveMarket, SLOW_DRAW_MS, useLive } from "@/features/market/live";
import { useWallet } from "@/features/wallet/store";
import { t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { useAction } from "@/lib/useAction";
import { Field } from "@/ui/Field";
import { Panel } from "@/ui/Panel";
import { Segments } from "@/ui/Segments";
import { Failure } from "@/ui/States";
import { useAccount } from "./account";
import { type Draft, EMPTY, inQuote, judge, type Surroundings } from "./draft";
import { Advanced, Available, Kind, Slider, Submit, Unit } from "./FormParts";
import { priced } from "./feeCap";
import { Mirrored, useMirror } from "./Mirrored";
import { placeOrder, placeTwo } from "./place";
import { SecondLeg, Summary } from "./Summary";
import { usePreview } from "./usePreview";

/** Of what is available, so much is left for the fee when a purchase takes all of it: parts of 10,000. */
const FEE_ROOM = 20n;

interface OrderFormProps {
  readonly live: LiveMarket;
  readonly units: MarketUnits;
  /** A price that was clicked elsewhere, counted so that the same one can be clicked again. */
  readonly picked: { readonly price: string; readonly count: number };
  readonly className?: string;
}

export function OrderForm({ live, units, picked, className = "" }: OrderFormProps) {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [mirrored, mirror] = useMirror();
  const [placed, setPlaced] = useState<string | null>(null);
  const action = useAction();
  const change = (part: Partial<Draft>) => {
    setDraft((now) => ({ ...now, ...part }));
    action.clear();
    setPlaced(null);
  };

  useEffect(() => {
    if (picked.count) setDraft((now) => ({ ...now, kind: "limit", price: picked.price }));
  }, [picked]);

  const around = useSurroundings(live, units);
  const { meant, second, complaints } = judge(draft, units, around);
  const { preview, refused } = usePreview(meant, units.id);
  const other = usePreview(second, units.id);
  const first = priced(meant, preview);
  const stop = priced(second, other.preview);
  const available = useAvailable(draft, units);
  const isLive = useLive(live, (now) => now.bookState === "live");
  const isHalted = useMarketStatus(units.id) === "halted";
  const error = (field: keyof typeof complaints): string | undefined => {
    const complaint = complaints[field];
    return complaint && t(complaint.key, complaint.params);
  };

  const form = useRef<HTMLFormElement>(null);
  const focus = (name: string) => form.current?.querySelector<HTMLInputElement>(`[name=${name}]`)?.focus();
  useShortcuts({
    b: () => change({ side: "buy" }),
    s: () => change({ side: "sell", unit: "base" }),
    l: () => change({ kind: "limit", unit: "base" }),
    m: () => change({ kind: "market" }),
    p: () => focus("price"),
    a: () => focus("amount"),
  });
  /** Up and down move the price by a tick, from the nearest one, or from the best when there is none. */
  const stepPrice = (event: KeyboardEvent<HTMLInputElement>) => {
    const step = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
    if (!step) return;
    event.preventDefault();
    const best = draft.side === "buy" ? around.bestBid : around.bestAsk;
    const from = units.nearestPrice(draft.price) ?? best ?? around.lastPrice;
    if (!from) return;
    const price = draft.price ? from + step * units.tickSize : from;
    if (price > 0n) change({ price: units.price(price) });
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!isLive || isHalted || !first || (second && !stop)) return;
    setPlaced(null);
    await action.run(async () => {
      const ack = await (stop
        ? placeTwo(first, stop, units.id, mirror)
        : placeOrder(first, units.id, mirror));
      setPlaced(t("form.placed", { seq: ack.seq }));
      setDraft((now) => ({ ...now, amount: "" }));
    });
  };

  const best = draft.side === "buy" ? around.bestBid : around.bestAsk;
  const bestText = best ? units.price(best) : "";
  const share = (percent: bigint) =>
    change({ amount: shareOf(percent, available, draft, units, meantPrice(draft, units, around)) });
  return (
    <Panel title={t("form.title")} quiet className={className}>
      <form
        ref={form}
        data-testid="order-form"
        onKeyDown={leaveOnEscape}
        onSubmit={(event) => void submit(event)}
        className="flex flex-col gap-2.5 p-3"
      >
        <Segments
          label={t("form.side")}
          value={draft.side}
          onChange={(side) => change({ side, ...(side === "sell" ? { unit: "base" } : {}) })}
          options={[
            { value: "buy", text: t("form.buy"), tone: "buy" },
            { value: "sell", text: t("form.sell"), tone: "sell" },
          ]}
        />
        <Kind draft={draft} change={change} />
        {(draft.trigger === "stop_loss" || draft.trigger === "take_profit") && (
          <Field
            label={t("form.trigger_price")}
            value={draft.triggerPrice}
            onChange={(triggerPrice) => change({ triggerPrice })}
            inputMode="decimal"
            unit={units.quote.symbol}
            error={error("triggerPrice")}
          />
        )}
        {draft.trigger === "trailing" && (
          <Field
            label={t("form.trail")}
            value={draft.trail}
            onChange={(trail) => change({ trail })}
            inputMode="decimal"
            unit="%"
            error={error("trail")}
          />
        )}
        {draft.kind === "limit" ? (
          <Field
            label={t("form.price")}
            name="price"
            onKeyDown={stepPrice}
            placeholder={bestText}
            value={draft.price}
            onChange={(price) => change({ price })}
            inputMode="decimal"
            unit={units.quote.symbol}
            error={error("price")}
          />
        ) : (
          <Field
            label={t("form.slippage")}
            value={draft.slippage}
            onChange={(slippage) => change({ slippage })}
            inputMode="decimal"
            unit="%"
            error={error("slippage")}
          />
        )}
        <Field
          label={t("form.amount")}
          name="amount"
          value={draft.amount}
          onChange={(amount) => change({ amount })}
          inputMode="decimal"
          unit={<Unit draft={draft} units={units} change={change} />}
          error={error("amount")}
        />
        <Slider onShare={share} disabled={available === 0n} />
        <Advanced draft={draft} units={units} change={change} error={error} />
        <Available amount={available} draft={draft} units={units} />
        {meant && <Summary meant={meant} preview={preview} live={live} units={units} />}
        {second && <SecondLeg meant={second} preview={other.preview} units={units} />}
        {(refused ?? other.refused) && <Failure>{refused ?? other.refused}</Failure>}
        {meant && !isLive && <Failure>{t("form.not_live")}</Failure>}
        {isHalted && <Failure>{t("form.halted")}</Failure>}
        {action.failed && <Failure>{action.failed}</Failure>}
        {mirrored && <Mirrored data={mirrored} />}
        {placed && (
          <p role="status" className="text-xs text-buy">
            {placed}
          </p>
        )}
        <Submit
          draft={draft}
          ready={isLive && !isHalted && first !== null && (!second || stop !== null)}
          units={units}
          busy={action.busy}
        />
      </form>
    </Panel>
  );
}

/** Escape leaves a field, so that the keys mean what they mean outside of it. */
function leaveOnEscape(event: KeyboardEvent): void {
  if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
}

/** What the form must know of the market and the clock; drawn anew when the best prices change. */
function useSurroundings(live: LiveMarket, units: MarketUnits): Surroundings {
  const bestBid = useLive(live, (now) => now.bestBid, SLOW_DRAW_MS);
  const bestAsk = useLive(live, (now) => now.bestAsk, SLOW_DRAW_MS);
  const lastPrice = useLive(live, (now) => now.lastPrice, SLOW_DRAW_MS);
  const keyExpiry = useWallet((state) => state.delegate?.expiry ?? null);
  const maxQuantity = useExchange((known) => known.markets.get(units.id)?.max_quantity ?? "0");
  const maxNotional = useExchange((known) => known.markets.get(units.id)?.max_notional ?? "0");
  return {
    bestBid,
    bestAsk,
    lastPrice,
    now: exchangeNow(),
    keyExpiry,
    maxQuantity: BigInt(maxQuantity),
    maxNotional: BigInt(maxNotional),
  };
}

/** What can be spent on the order: quote for a purchase, base for a sale. */
function useAvailable(draft: Draft, units: MarketUnits): bigint {
  const asset = draft.side === "buy" ? units.quote : units.base;
  return useAccount((state) => state.balances.get(asset.asset_id)?.available ?? 0n);
}

function meantPrice(draft: Draft, units: MarketUnits, around: Surroundings): bigint | null {
  if (draft.kind === "limit") return units.parsePrice(draft.price) ?? null;
  const best = draft.side === "buy" ? around.bestAsk : around.bestBid;
  return best ?? around.lastPrice;
}

/** So many percent of what is available, as an amount that the form takes. */
function shareOf(
  percent: bigint,
  available: bigint,
  draft: Draft,
  units: MarketUnits,
  price: bigint | null,
): string {
  const part = (available * percent) / 100n;
  if (inQuote(draft)) return trimmed((part * (10_000n - FEE_ROOM)) / 10_000n, units.quote.decimals);
  if (draft.side === "sell") return units.quantity(units.lotsIn(part));
  if (!price) return "";
  // a market purchase must be paid at its worst price
  const worst = draft.kind === "market" ? units.shift(price, 100n) : price;
  return units.quantity((part * (10_000n - FEE_ROOM)) / 10_000n / worst);
}
