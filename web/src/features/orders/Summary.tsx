import type { ReactNode } from "react";
import { type LiveMarket, SLOW_DRAW_MS, useLive } from "@/features/market/live";
import { useDisplay } from "@/features/worth/useWorth";
import { Worth } from "@/features/worth/Worth";
import type { Preview } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { fixed, trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import type { Meant } from "./draft";
import { feeMost, worstQuote } from "./feeCap";
import { conditionsOf } from "./words";

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
  const walked = useLive(
    live,
    (now) => {
      const met =
        meant.side === "buy_quote"
          ? now.book.walkQuote(meant.quantity, meant.price)
          : now.book.walk(takes, meant.quantity, meant.price);
      return `${met.lots}:${met.quote}`;
    },
    SLOW_DRAW_MS,
  );
  const [lots = 0n, quote = 0n] = walked.split(":").map(BigInt);
  const money = (amount: bigint) =>
    `${localNumber(trimmed(amount, units.quote.decimals))} ${units.quote.symbol}`;
  const coins = (amount: bigint) => `${localNumber(units.quantity(amount))} ${units.base.symbol}`;
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
      {!meant.singleFill && <Line name={t("orders.until")} value={localDateTime(meant.expiry * 1_000)} />}
      <Most meant={meant} preview={preview} units={units} />
      {buys && meant.side === "buy" && (
        <Line name={t("summary.receive")} value={coins(meant.quantity)} strong />
      )}
      {meant.side === "buy_quote" && lots > 0n && (
        <Line name={t("summary.receive_about")} value={coins(lots)} strong />
      )}
    </dl>
  );
}

type LegProps = Omit<SummaryProps, "live">;

/** What an order costs or brings at worst, under the fee cap that it will be signed with. */
function Most({ meant, preview, units }: LegProps) {
  const fee = preview ? feeMost(meant, preview.max_fee_bps) : null;
  const money = (amount: bigint) =>
    `${localNumber(trimmed(amount, units.quote.decimals))} ${units.quote.symbol}`;
  const quote = worstQuote(meant);
  const display = useDisplay();
  return (
    <>
      {preview && fee !== null && (
        <Line
          name={t("summary.fee_most")}
          value={`${money(fee)} (${localNumber(trimmed(BigInt(preview.max_fee_bps), 2))} %)`}
        />
      )}
      {display && display.asset.asset_id !== units.quote.asset_id && (
        <Line
          name={t("worth.column")}
          value={<Worth display={display} parts={[{ asset: units.quote.asset_id, amount: quote }]} />}
        />
      )}
      {meant.side === "sell" ? (
        <Line name={t("summary.get_least")} value={money(quote - (fee ?? 0n))} strong />
      ) : (
        <Line name={t("summary.pay_most")} value={money(quote + (fee ?? 0n))} strong />
      )}
    </>
  );
}

/** When it starts, how it works and until when: all of it is signed. */
function Under({ meant, units }: Pick<LegProps, "meant" | "units">) {
  return conditionsOf(meant, units).map(([name, value]) => <Line key={name} name={name} value={value} />);
}

/** The stop beside an order: of the two only one ever fills, and each is signed. */
export const SecondLeg = (props: LegProps) => <Leg {...props} testId="summary-stop" />;

/** An order in short: from where, at worst, and what with the fee. */
export function Leg({ meant, preview, units, testId = "summary" }: LegProps & { readonly testId?: string }) {
  const price = (amount: bigint) => `${localNumber(units.price(amount))} ${units.quote.symbol}`;
  return (
    <dl
      data-testid={testId}
      className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5 rounded-md bg-raised/60 p-2 text-xs"
    >
      {testId === "summary-stop" && <Line name={t("summary.or_stop")} value={price(meant.triggerPrice)} />}
      <Line
        name={meant.side === "sell" ? t("summary.worst_sell") : t("summary.worst_buy")}
        value={price(meant.price)}
      />
      <Under meant={meant} units={units} />
      <Most meant={meant} preview={preview} units={units} />
    </dl>
  );
}

function Line({
  name,
  value,
  strong = false,
}: {
  readonly name: string;
  readonly value: ReactNode;
  readonly strong?: boolean;
}) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className={`text-end ${strong ? "font-semibold text-strong" : ""}`}>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}
