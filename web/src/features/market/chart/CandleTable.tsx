import type { Candle } from "@/lib/api/types";
import { type Key, localDateTime, localNumber, t } from "@/lib/i18n";
import { least, most } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";

/** The candles in one sentence. */
export function summaryOf(candles: readonly Candle[], units: MarketUnits): string {
  const [first, last] = [candles[0], candles.at(-1)];
  if (!first || !last) return "";
  const text = (price: bigint) => localNumber(units.price(price));
  return t("chart.summary", {
    market: units.symbol,
    count: candles.length,
    from: localDateTime(first.start_ms),
    open: text(BigInt(first.open)),
    close: text(BigInt(last.close)),
    high: text(candles.map((candle) => BigInt(candle.high)).reduce(most)),
    low: text(candles.map((candle) => BigInt(candle.low)).reduce(least)),
  });
}

const NAMES: Key[] = ["chart.time", "chart.open", "chart.high", "chart.low", "chart.close", "chart.volume"];

/** The candles as numbers, latest first, for those who do not see the chart. */
export function CandleTable({
  candles,
  units,
}: {
  readonly candles: readonly Candle[];
  readonly units: MarketUnits;
}) {
  const price = (value: string) => localNumber(units.price(BigInt(value)));
  return (
    <table className="m-2">
      <thead>
        <tr>
          {NAMES.map((name) => (
            <th key={name} scope="col" className="px-2 text-end font-normal">
              {t(name)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {[...candles].reverse().map((candle) => (
          <tr key={candle.start_ms} className="text-end text-text">
            <td className="px-2">{localDateTime(candle.start_ms)}</td>
            <td className="px-2">{price(candle.open)}</td>
            <td className="px-2">{price(candle.high)}</td>
            <td className="px-2">{price(candle.low)}</td>
            <td className="px-2">{price(candle.close)}</td>
            <td className="px-2">{localNumber(units.quantity(BigInt(candle.base_volume)))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
