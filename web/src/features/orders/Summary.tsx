import { type LiveMarket, useLive } from "@/features/market/live";
import type { Preview } from "@/lib/api/types";
import { localNumber, t } from "@/lib/i18n";
import { fixed, trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import type { Meant } from "./draft";

interface SummaryProps {
  readonly meant: Meant;
  /** Null without a wallet, and until the exchange has answered. */
  readonly preview: Preview | null;
  readonly live: LiveMarket;
  readonly units: MarketUnits;
}

/** What the order costs and brings, before it is signed: exactly where it meets the book, at worst otherwise. */
export function Summary({ meant, preview, live, units }: SummaryProps) {
  const buys = meant.side !== "sell";
  const takes = buys ? "asks" : "bids";
  const walked = useLive(live, (now) => {
    const met =
      meant.side === "buy_quote"
        ? now.book.walkQuote(meant.quantity, meant.price)
        : now.book.walk(takes, meant.quantity, meant.price);
    return `${met.lots}:${met.quote}`;
  });
  const [lots = 0n, quote = 0n] = walked.split(":").map(BigInt);
  const money = (amount: bigint) =>
    `${localNumber(trimmed(amount, units.quote.decimals))} ${units.quote.symbol}`;
  const coins = (amount: bigint) => `${localNumber(units.quantity(amount))} ${units.base.symbol}`;
  const worstQuote = meant.side === "buy_quote" ? meant.quantity : meant.price * meant.quantity;
  const worstFee = preview ? BigInt(preview.worst_fee) : null;
  const bps = (ppm: number) => `${localNumber(fixed(BigInt(ppm), 4))} %`;
  return (
    <dl
      data-testid="summary"
      className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5 rounded-md bg-raised/60 p-2 text-xs"
    >
      <Line
        name={buys ? t("summary.worst_buy") : t("summary.worst_sell")}
        value={`${localNumber(units.price(meant.price))} ${units.quote.symbol}`}
      />
      {lots > 0n && meant.triggerPrice === 0n && (
        <Line name={t("summary.now")} value={`${coins(lots)} @ ${localNumber(units.price(quote / lots))}`} />
      )}
      {preview && (
        <Line
          name={t("summary.rates")}
          value={`${bps(preview.maker_fee_ppm)} / ${bps(preview.taker_fee_ppm)}`}
        />
      )}
      {preview && BigInt(preview.fills_now) > 0n && (
        <Line name={t("summary.fee_now")} value={money(BigInt(preview.fills_now_fee))} />
      )}
      {worstFee !== null && <Line name={t("summary.fee_most")} value={money(worstFee)} />}
      {buys ? (
        <Line name={t("summary.pay_most")} value={money(worstQuote + (worstFee ?? 0n))} strong />
      ) : (
        <Line name={t("summary.get_least")} value={money(worstQuote - (worstFee ?? 0n))} strong />
      )}
      {buys && meant.side === "buy" && (
        <Line name={t("summary.receive")} value={coins(meant.quantity)} strong />
      )}
      {meant.side === "buy_quote" && lots > 0n && (
        <Line name={t("summary.receive_about")} value={coins(lots)} strong />
      )}
    </dl>
  );
}

function Line({
  name,
  value,
  strong = false,
}: {
  readonly name: string;
  readonly value: string;
  readonly strong?: boolean;
}) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className={`text-end ${strong ? "font-semibold text-strong" : ""}`}>{value}</dd>
    </>
  );
}
