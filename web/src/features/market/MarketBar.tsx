import { openDialog } from "@/app/dialogs";
import { useMarketStatus } from "@/app/exchange";
import { localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { NotLive } from "@/ui/Panel";
import { changeText, changeTone } from "./change";
import { type LiveMarket, useLive, worstOf } from "./live";
import { useTickers } from "./tickers";

/** The market at a glance: last price and the last 24 hours. */
export function MarketBar({ live, units }: { readonly live: LiveMarket; readonly units: MarketUnits }) {
  const ticker = useTickers((state) => state.tickers.get(units.symbol));
  const tickerState = useTickers((state) => state.states.get(units.symbol) ?? "syncing");
  const status = useMarketStatus(units.id);
  const last = useLive(live, (now) => now.lastPrice);
  const taker = useLive(live, (now) => now.trades[0]?.taker_side ?? null);
  const state = worstOf(
    useLive(live, (now) => now.tradesState),
    tickerState,
  );
  const money = (value: string | null | undefined) => (value ? localNumber(units.price(BigInt(value))) : "–");
  return (
    <section
      aria-label={t("market.summary", { market: units.symbol })}
      className="flex shrink-0 items-center gap-5 overflow-x-auto border-b border-line bg-panel px-3 py-1.5"
    >
      <button
        type="button"
        onClick={() => openDialog("markets")}
        aria-haspopup="dialog"
        className="flex items-center gap-2 whitespace-nowrap rounded-md px-1.5 py-1 text-lg font-bold tracking-tight text-strong hover:bg-raised"
      >
        <bdi dir="ltr">
          {units.base.symbol} <span className="font-normal text-soft">/ {units.quote.symbol}</span>
        </bdi>
        <svg viewBox="0 0 12 12" className="size-3 text-soft" aria-hidden="true">
          <path d="M2 4l4 4 4-4" fill="none" stroke="currentColor" strokeWidth="1.5" />
        </svg>
        <span className="sr-only">{t("market.choose")}</span>
      </button>
      {status && status !== "open" && (
        <span className="rounded bg-sell/15 px-2 py-0.5 text-sell">
          {t(status === "auction" ? "market.auction" : "market.halted")}
        </span>
      )}
      <p
        data-testid="last-price"
        className={`text-lg font-semibold ${state !== "live" ? "stale" : taker === "sell" ? "text-sell" : "text-buy"}`}
      >
        {last === null ? "–" : localNumber(units.price(last))}
      </p>
      {state !== "live" && <NotLive state={state} />}
      <dl className={`flex gap-5 ${tickerState === "live" ? "" : "stale"}`}>
        <Figure name={t("market.change")} tone={changeTone(ticker)} value={changeText(ticker)} />
        <Figure name={t("market.high")} value={money(ticker?.high_24h)} />
        <Figure name={t("market.low")} value={money(ticker?.low_24h)} />
        <Figure
          name={t("market.volume", { asset: units.quote.symbol })}
          value={
            ticker
              ? localNumber(
                  units.quoteAmount(BigInt(ticker.quote_volume_24h), Math.min(2, units.quote.decimals)),
                )
              : "–"
          }
        />
      </dl>
    </section>
  );
}

function Figure({
  name,
  value,
  tone = "",
}: {
  readonly name: string;
  readonly value: string;
  readonly tone?: string;
}) {
  return (
    <div className="whitespace-nowrap">
      <dt className="text-2xs text-soft">{name}</dt>
      <dd className={tone}>
        <bdi>{value}</bdi>
      </dd>
    </div>
  );
}
