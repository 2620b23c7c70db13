/** The parts of the order form that hold nothing of their own. */
import { useState } from "react";
import { openDialog } from "@/app/dialogs";
import { useExchange } from "@/app/exchange";
import { startPlaying } from "@/features/wallet/newcomer";
import { isWrongChain, useWallet } from "@/features/wallet/store";
import { type Key, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Check, Field, Select } from "@/ui/Field";
import { Segments } from "@/ui/Segments";
import { Failure } from "@/ui/States";
import { useAccount } from "./account";
import { type Draft, postOnlyOf, timeInForceOf } from "./draft";
import { SELF_TRADES, type SelfTrade, type TimeInForce, type Trigger } from "./terms";

const SHARES = [25n, 50n, 75n, 100n];

interface PartProps {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
}

export function Kind({ draft, change }: PartProps) {
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

export function Unit({ draft, units, change }: PartProps & { readonly units: MarketUnits }) {
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

/** A share of what is available: a slider, and its quarters. */
export function Slider({
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
            <bdi>{`${share} %`}</bdi>
          </button>
        ))}
      </div>
    </div>
  );
}

interface AdvancedProps extends PartProps {
  readonly units: MarketUnits;
  readonly error: (
    field: "displayed" | "until" | "timeInForce" | "stopPrice" | "slippage",
  ) => string | undefined;
}

export function Advanced({ draft, units, change, error }: AdvancedProps) {
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
          stacked
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
        {!market && rests && draft.trigger === "none" && (
          <>
            <Check
              label={t("form.with_stop")}
              checked={draft.withStop}
              onChange={(withStop) => change({ withStop })}
            />
            {draft.withStop && (
              <>
                <Field
                  label={t("form.stop_price")}
                  value={draft.stopPrice}
                  onChange={(stopPrice) => change({ stopPrice })}
                  inputMode="decimal"
                  unit={units.quote.symbol}
                  error={error("stopPrice")}
                />
                <Field
                  label={t("form.slippage")}
                  value={draft.slippage}
                  onChange={(slippage) => change({ slippage })}
                  inputMode="decimal"
                  unit="%"
                  error={error("slippage")}
                />
              </>
            )}
          </>
        )}
        <Select
          label={t("form.self_trade")}
          value={draft.selfTrade}
          onChange={(selfTrade) => change({ selfTrade: selfTrade as SelfTrade })}
          options={SELF_TRADES.map((value) => ({ value, text: t(`self_trade.${value}` as Key) }))}
          stacked
        />
      </div>
    </details>
  );
}

export function Available({
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
        <bdi>
          <span data-testid="available">{localNumber(trimmed(amount, asset.decimals))}</span> {asset.symbol}
        </bdi>
        <span className="ms-1 text-accent">+</span>
        <span className="sr-only">{t("wallet.deposit")}</span>
      </button>
    </p>
  );
}

interface SubmitProps {
  readonly draft: Draft;
  /** Whether what would be signed is on the page. */
  readonly ready: boolean;
  readonly units: MarketUnits;
  readonly busy: boolean;
}

/** The one button of the form: whatever the next step is. */
export function Submit({ draft, ready, units, busy }: SubmitProps) {
  const connected = useWallet((state) => state.phase === "connected");
  const signedIn = useWallet((state) => state.session !== null);
  const wrong = useWallet((state) => state.phase === "connected" && isWrongChain(state));
  const faucet = useExchange((known) => known.exchange?.faucet ?? false);
  const action = useAction();
  if (!connected && faucet) {
    return (
      <div className="flex flex-col gap-2">
        {action.failed && <Failure>{action.failed}</Failure>}
        <Button kind="primary" size="large" busy={action.busy} onClick={() => void action.run(startPlaying)}>
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
    <div className="flex flex-col gap-2">
      {action.failed && !signedIn && <Failure>{action.failed}</Failure>}
      <Button
        type="submit"
        kind={draft.side}
        size="large"
        busy={busy}
        disabled={!ready || !signedIn || wrong}
      >
        {busy ? t("form.sending") : t(key, { asset: units.base.symbol })}
      </Button>
    </div>
  );
}
