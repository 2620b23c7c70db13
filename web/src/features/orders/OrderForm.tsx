import { type FormEvent, useEffect, useState } from "react";
import { openDialog } from "@/app/dialogs";
import { exchangeNow, useExchange } from "@/app/exchange";
import { type LiveMarket, useLive } from "@/features/market/live";
import { startPlaying } from "@/features/wallet/newcomer";
import { isWrongChain, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { Market } from "@/lib/api/types";
import type { TypedData } from "@/lib/chain/typedData";
import { type Key, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Check, Field, Select } from "@/ui/Field";
import { Panel } from "@/ui/Panel";
import { Segments } from "@/ui/Segments";
import { Failure } from "@/ui/States";
import { useAccount } from "./account";
import {
  type Draft,
  EMPTY,
  inQuote,
  judge,
  type Meant,
  postOnlyOf,
  type Surroundings,
  timeInForceOf,
} from "./draft";
import { Mirrored } from "./Mirrored";
import { placeOrder } from "./place";
import { Summary } from "./Summary";
import { SELF_TRADES, type SelfTrade, type TimeInForce, type Trigger } from "./terms";
import { usePreview } from "./usePreview";

const SHARES = [25n, 50n, 75n, 100n];
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
  const [mirrored, setMirrored] = useState<TypedData | null>(null);
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
  const { meant, complaints } = judge(draft, units, around);
  const { preview, refused } = usePreview(meant, units.id);
  const available = useAvailable(draft, units);
  const error = (field: keyof typeof complaints): string | undefined => {
    const complaint = complaints[field];
    return complaint && t(complaint.key, complaint.params);
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!meant) return;
    setPlaced(null);
    const mirror = (data: TypedData) => {
      setMirrored(data);
      return () => setMirrored(null);
    };
    await action.run(async () => {
      const ack = await placeOrder(meant, units.id, mirror);
      setPlaced(t("form.placed", { seq: ack.seq }));
      setDraft((now) => ({ ...now, amount: "" }));
    });
  };

  const share = (percent: bigint) =>
    change({ amount: shareOf(percent, available, draft, units, meantPrice(draft, units, around)) });
  return (
    <Panel title={t("form.title")} quiet className={className}>
      <form
        data-testid="order-form"
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
        {refused && <Failure>{refused}</Failure>}
        {action.failed && <Failure>{action.failed}</Failure>}
        {mirrored && <Mirrored data={mirrored} units={units} />}
        {placed && (
          <p role="status" className="text-xs text-buy">
            {placed}
          </p>
        )}
        <Submit draft={draft} meant={meant} units={units} busy={action.busy} />
      </form>
    </Panel>
  );
}

/** What the form must know of the market and the clock; drawn anew when the best prices change. */
function useSurroundings(live: LiveMarket, units: MarketUnits): Surroundings {
  const bestBid = useLive(live, (now) => now.bestBid);
  const bestAsk = useLive(live, (now) => now.bestAsk);
  const lastPrice = useLive(live, (now) => now.lastPrice);
  const keyExpiry = useWallet((state) => state.delegate?.expiry ?? null);
  const rules = useRules(units.symbol);
  return {
    bestBid,
    bestAsk,
    lastPrice,
    now: exchangeNow(),
    keyExpiry,
    maxQuantity: BigInt(rules?.max_quantity ?? "0"),
    maxNotional: BigInt(rules?.max_notional ?? "0"),
  };
}

/** The market's rules of now, with its bounds. */
function useRules(symbol: string): Market | null {
  const [rules, setRules] = useState<Market | null>(null);
  useEffect(() => {
    let current = true;
    void api.get<Market>(`/v1/markets/${symbol}`).then(
      (answer) => current && setRules(answer),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [symbol]);
  return rules;
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

interface PartProps {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
}

function Kind({ draft, change }: PartProps) {
  const triggers: Trigger[] = ["none", "stop_loss", "take_profit", "trailing"];
  return (
    <div className="flex flex-col gap-2">
      <Segments
        label={t("form.kind")}
        value={draft.kind}
        onChange={(kind) => change({ kind, ...(kind === "limit" ? { unit: "base" } : {}) })}
        options={[
          { value: "limit", text: t("form.limit") },
          { value: "market", text: t("form.market") },
        ]}
      />
      <Select
        label={t("form.starts")}
        value={draft.trigger}
        onChange={(trigger) => change({ trigger: trigger as Trigger, unit: "base" })}
        options={triggers.map((value) => ({ value, text: t(`trigger.${value}` as Key) }))}
      />
    </div>
  );
}

function Unit({ draft, units, change }: PartProps & { readonly units: MarketUnits }) {
  if (draft.side === "sell" || draft.kind === "limit" || draft.trigger !== "none") return units.base.symbol;
  return (
    <select
      aria-label={t("form.unit")}
      value={draft.unit}
      onChange={(event) => change({ unit: event.target.value as Draft["unit"], amount: "" })}
      className="bg-raised text-soft"
    >
      <option value="base">{units.base.symbol}</option>
      <option value="quote">{units.quote.symbol}</option>
    </select>
  );
}

function Slider({
  onShare,
  disabled,
}: {
  readonly onShare: (percent: bigint) => void;
  readonly disabled: boolean;
}) {
  const [percent, setPercent] = useState("0");
  const set = (value: string) => {
    setPercent(value);
    onShare(BigInt(value));
  };
  return (
    <div className="flex flex-col gap-1.5">
      <input
        type="range"
        min="0"
        max="100"
        step="1"
        value={percent}
        disabled={disabled}
        aria-label={t("form.share")}
        aria-valuetext={`${percent} %`}
        onChange={(event) => set(event.target.value)}
        className="h-4 w-full accent-accent"
      />
      <div className="flex gap-1">
        {SHARES.map((share) => (
          <button
            key={`${share}`}
            type="button"
            disabled={disabled}
            onClick={() => set(`${share}`)}
            className="h-6 flex-1 rounded bg-raised text-xs text-soft hover:text-text disabled:opacity-50"
          >
            {`${share} %`}
          </button>
        ))}
      </div>
    </div>
  );
}

interface AdvancedProps extends PartProps {
  readonly units: MarketUnits;
  readonly error: (field: "displayed" | "until" | "timeInForce") => string | undefined;
}

function Advanced({ draft, units, change, error }: AdvancedProps) {
  const market = draft.kind === "market";
  const times: TimeInForce[] = market
    ? ["ioc", "fok"]
    : draft.trigger === "none"
      ? ["gtc", "gtd", "ioc", "fok"]
      : ["gtc", "gtd"];
  const inForce = timeInForceOf(draft);
  const rests = inForce === "gtc" || inForce === "gtd";
  return (
    <details className="rounded-md border border-line">
      <summary className="cursor-pointer px-3 py-1.5 text-xs text-soft hover:text-text">
        {t("form.more")}
      </summary>
      <div className="flex flex-col gap-2 p-3 pt-1">
        <Select
          label={t("form.time_in_force")}
          value={inForce}
          onChange={(timeInForce) => change({ timeInForce: timeInForce as TimeInForce })}
          options={times.map((value) => ({ value, text: t(`tif.${value}` as Key) }))}
        />
        {error("timeInForce") && <p className="text-xs text-sell">{error("timeInForce")}</p>}
        {inForce === "gtd" && (
          <Field
            label={t("form.until")}
            type="datetime-local"
            value={draft.until}
            onChange={(until) => change({ until })}
            error={error("until")}
          />
        )}
        {!market && (
          <Check
            label={t("form.post_only")}
            checked={postOnlyOf(draft)}
            disabled={!rests}
            onChange={(postOnly) => change({ postOnly })}
          />
        )}
        {!market && rests && (
          <Field
            label={t("form.displayed")}
            value={draft.displayed}
            onChange={(displayed) => change({ displayed })}
            inputMode="decimal"
            unit={units.base.symbol}
            error={error("displayed")}
          />
        )}
        <Select
          label={t("form.self_trade")}
          value={draft.selfTrade}
          onChange={(selfTrade) => change({ selfTrade: selfTrade as SelfTrade })}
          options={SELF_TRADES.map((value) => ({ value, text: t(`self_trade.${value}` as Key) }))}
        />
      </div>
    </details>
  );
}

function Available({
  amount,
  draft,
  units,
}: {
  readonly amount: bigint;
  readonly draft: Draft;
  readonly units: MarketUnits;
}) {
  const connected = useWallet((state) => state.session !== null);
  const state = useAccount((account) => account.state);
  if (!connected) return null;
  const asset = draft.side === "buy" ? units.quote : units.base;
  return (
    <p className={`flex justify-between text-xs text-soft ${state === "live" ? "" : "stale"}`}>
      <span>{t("form.available")}</span>
      <button type="button" onClick={() => openDialog("deposit")} className="text-text hover:text-accent">
        <span data-testid="available">{localNumber(trimmed(amount, asset.decimals))}</span> {asset.symbol}
        <span className="ms-1 text-accent">+</span>
        <span className="sr-only">{t("wallet.deposit")}</span>
      </button>
    </p>
  );
}

interface SubmitProps {
  readonly draft: Draft;
  readonly meant: Meant | null;
  readonly units: MarketUnits;
  readonly busy: boolean;
}

/** The one button of the form: whatever the next step is. */
function Submit({ draft, meant, units, busy }: SubmitProps) {
  const connected = useWallet((state) => state.phase === "connected");
  const signedIn = useWallet((state) => state.session !== null);
  const wrong = useWallet((state) => state.phase === "connected" && isWrongChain(state));
  const faucet = useExchange((known) => known.exchange?.faucet ?? false);
  const action = useAction();
  if (!connected && faucet) {
    const play = async () => {
      if (await action.run(() => startPlaying())) openDialog("deposit");
    };
    return (
      <div className="flex flex-col gap-2">
        {action.failed && <Failure>{action.failed}</Failure>}
        <Button kind="primary" size="large" busy={action.busy} onClick={() => void play()}>
          {action.busy ? t("wallet.making") : t("wallet.play")}
        </Button>
        <Button size="small" onClick={() => openDialog("wallet")}>
          {t("wallet.connect")}
        </Button>
      </div>
    );
  }
  if (!connected)
    return (
      <Button kind="primary" size="large" onClick={() => openDialog("wallet")}>
        {t("wallet.connect")}
      </Button>
    );
  const key: Key = draft.side === "buy" ? "form.submit_buy" : "form.submit_sell";
  return (
    <Button type="submit" kind={draft.side} size="large" busy={busy} disabled={!meant || !signedIn || wrong}>
      {busy ? t("form.sending") : t(key, { asset: units.base.symbol })}
    </Button>
  );
}
