import { useEffect, useRef, useState } from "react";
import { useTheme } from "@/app/theme";
import { sentenceOf } from "@/lib/api/errors";
import type { Candle } from "@/lib/api/types";
import { type Key, localDateTime, localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { keep, recall } from "@/lib/storage";
import type { ChannelState } from "@/lib/stream/client";
import { Panel } from "@/ui/Panel";
import { Segments } from "@/ui/Segments";
import { Empty, Failure, Loading } from "@/ui/States";
import { Candles, INTERVALS, type Interval } from "./candles";
import type { Drawing } from "./drawing";

const TABLE_ROWS = 20;

/** Candles with volume, in a figure that also says in words and in a table what it draws. */
export function Chart({
  units,
  className = "",
}: {
  readonly units: MarketUnits;
  readonly className?: string;
}) {
  const [interval, setChosen] = useState<Interval>(recall<Interval>("interval") ?? "1m");
  const [list, setList] = useState<readonly Candle[] | null>(null);
  const [state, setState] = useState<ChannelState>("syncing");
  const [failed, setFailed] = useState<string | null>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const theme = useTheme((one) => one.theme);
  const drawing = useRef<Drawing | null>(null);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let closed = false;
    let candles: Candles | null = null;
    setList(null);
    void import("./drawing").then((module) => {
      if (closed) return;
      const chart = new module.Drawing(element, units, () => void candles?.older());
      drawing.current = chart;
      const show = () => setList([...(candles?.list ?? [])].slice(-TABLE_ROWS));
      candles = new Candles(units.symbol, interval, {
        replace: (all) => {
          setFailed(null);
          chart.replace(all);
          show();
        },
        update: (changed) => {
          chart.update(changed);
          show();
        },
        state: setState,
        failed: (error) => setFailed(sentenceOf(error)),
      });
    });
    return () => {
      closed = true;
      candles?.close();
      drawing.current?.close();
      drawing.current = null;
    };
  }, [units, interval]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is what changes the colours that paint reads
  useEffect(() => drawing.current?.paint(), [theme]);

  const choose = (value: Interval) => {
    keep("interval", value);
    setChosen(value);
  };
  const choices = INTERVALS.map((value) => ({ value, text: t(`interval.${value}` as Key) }));
  return (
    <Panel
      title={t("chart.title")}
      state={state}
      end={
        <Segments label={t("chart.interval")} options={choices} value={interval} onChange={choose} small />
      }
      className={className}
    >
      <figure className="relative h-full min-h-64">
        <figcaption className="sr-only">
          {list?.length ? summary(list, units) : t("chart.loading")}
        </figcaption>
        <div ref={canvas} aria-hidden="true" className="absolute inset-0" dir="ltr" />
        {!list && !failed && (
          <div className="absolute inset-x-0 top-0">
            <Loading label={t("chart.loading")} />
          </div>
        )}
        {list?.length === 0 && <Empty>{t("chart.empty")}</Empty>}
        {failed && (
          <div className="absolute inset-x-3 top-3">
            <Failure>{failed}</Failure>
          </div>
        )}
        <details className="absolute bottom-8 start-2 z-10 max-h-[80%] max-w-[90%] overflow-auto rounded bg-panel/95 text-xs text-soft">
          <summary className="cursor-pointer px-2 py-1 hover:text-text">{t("chart.table")}</summary>
          <CandleTable candles={list ?? []} units={units} />
        </details>
      </figure>
    </Panel>
  );
}

/** The candles in one sentence. */
function summary(candles: readonly Candle[], units: MarketUnits): string {
  const [first, last] = [candles[0], candles.at(-1)];
  if (!first || !last) return "";
  const highs = candles.map((candle) => BigInt(candle.high));
  const lows = candles.map((candle) => BigInt(candle.low));
  const text = (price: bigint) => localNumber(units.price(price));
  return t("chart.summary", {
    market: units.symbol,
    count: candles.length,
    from: localDateTime(first.start_ms),
    open: text(BigInt(first.open)),
    close: text(BigInt(last.close)),
    high: text(highs.reduce((a, b) => (a > b ? a : b))),
    low: text(lows.reduce((a, b) => (a < b ? a : b))),
  });
}

function CandleTable({
  candles,
  units,
}: {
  readonly candles: readonly Candle[];
  readonly units: MarketUnits;
}) {
  const price = (value: string) => localNumber(units.price(BigInt(value)));
  const names: Key[] = ["chart.time", "chart.open", "chart.high", "chart.low", "chart.close", "chart.volume"];
  return (
    <table className="m-2">
      <thead>
        <tr>
          {names.map((name) => (
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
