import { useEffect, useRef, useState } from "react";
import { useTheme } from "@/app/theme";
import { useAccount } from "@/features/orders/account";
import { sentenceOf } from "@/lib/api/errors";
import type { Candle } from "@/lib/api/types";
import { localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { recall } from "@/lib/storage";
import type { ChannelState } from "@/lib/stream/client";
import { Empty, Failure, Loading } from "@/ui/States";
import { CandleTable, summaryOf } from "./CandleTable";
import { Candles, INTERVAL_MS, type Interval } from "./candles";
import type { Drawing, Mark } from "./drawing";
import { type Indicator, linesOf } from "./indicators";
import { toggleLevel, useLevels } from "./levels";

const TABLE_ROWS = 20;
const NO_LEVELS: readonly string[] = [];

interface ChartProps {
  readonly units: MarketUnits;
  readonly interval: Interval;
  readonly indicators: readonly Indicator[];
  /** Whether a click on the chart draws a level. */
  readonly drawing: boolean;
  readonly onState: (state: ChannelState) => void;
}

/** Candles with volume, in a figure that also says in words and in a table what it draws. */
export function Chart({ units, interval, indicators, drawing, onState }: ChartProps) {
  const [list, setList] = useState<readonly Candle[] | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const [chart, setChart] = useState<Drawing | null>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const draws = useRef(drawing);
  draws.current = drawing;

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let closed = false;
    let candles: Candles | null = null;
    let made: Drawing | null = null;
    setList(null);
    void import("./drawing").then((module) => {
      if (closed) return;
      const drawn = new module.Drawing(element, units, {
        nearStart: () => void candles?.older(),
        clicked: (price) => draws.current && toggleLevel(units.symbol, price),
      });
      made = drawn;
      const show = () => setList([...(candles?.list ?? [])].slice(-TABLE_ROWS));
      candles = new Candles(units.symbol, interval, {
        replace: (all) => {
          setFailed(null);
          drawn.replace(all);
          show();
        },
        update: (all, changed) => {
          drawn.update(all, changed);
          show();
        },
        state: onState,
        failed: (error) => setFailed(sentenceOf(error)),
      });
      setChart(drawn);
    });
    return () => {
      closed = true;
      candles?.close();
      made?.close();
      setChart(null);
    };
  }, [units, interval, onState]);

  useDecorations(chart, units, interval, indicators);
  return (
    <figure className="relative min-h-64 flex-1">
      <Legend indicators={indicators} />
      <figcaption className="sr-only">
        {list?.length ? summaryOf(list, units) : t("chart.loading")}
      </figcaption>
      <div
        ref={canvas}
        aria-hidden="true"
        className={`absolute inset-0 ${drawing ? "cursor-crosshair" : ""}`}
        dir="ltr"
      />
      {!list && !failed && (
        <div className="absolute inset-x-0 top-0">
          <Loading label={t("chart.loading")} />
        </div>
      )}
      {list?.length === 0 && (
        <div className="absolute inset-x-0 top-1/3">
          <Empty>{t("chart.empty")}</Empty>
        </div>
      )}
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
  );
}

/** Which line is which. */
function Legend({ indicators }: { readonly indicators: readonly Indicator[] }) {
  if (!indicators.length) return null;
  return (
    <ul className="pointer-events-none absolute start-3 top-2 z-10 flex flex-wrap gap-x-3 text-2xs">
      {linesOf(indicators, []).map((line) => (
        <li key={line.name} className="flex items-center gap-1">
          <svg viewBox="0 0 10 2" className="h-0.5 w-2.5" aria-hidden="true">
            <rect width="10" height="2" fill={line.color} />
          </svg>
          {line.name}
        </li>
      ))}
    </ul>
  );
}

/** What is drawn beside the candles: indicators, own orders and fills, levels; in the theme's colours. */
function useDecorations(
  chart: Drawing | null,
  units: MarketUnits,
  interval: Interval,
  indicators: readonly Indicator[],
): void {
  const theme = useTheme((one) => one.theme);
  const orders = useAccount((account) => account.orders);
  const fills = useAccount((account) => account.fills);
  const levels = useLevels((state) => state.levels[units.symbol] ?? NO_LEVELS);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is what changes the colours that paint reads
  useEffect(() => chart?.paint(), [chart, theme]);
  useEffect(() => chart?.indicate(indicators), [chart, indicators]);
  useEffect(() => {
    if (!chart) return;
    const own = [...orders.values()].filter((order) => order.market === units.id);
    const marks: Mark[] = own.map((order) => ({
      price: order.waiting && order.triggerPrice ? order.triggerPrice : order.price,
      title: `${order.side === "sell" ? t("form.sell") : t("form.buy")} ${localNumber(units.quantity(order.remaining))}`,
      tone: order.side === "sell" ? "sell" : "buy",
    }));
    for (const level of levels) marks.push({ price: BigInt(level), title: "", tone: "accent" });
    chart.mark(marks);
  }, [chart, orders, levels, units]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: markers take the theme's colours as well
  useEffect(() => {
    chart?.markFills(
      fills.filter((fill) => fill.market === units.id && fill.status !== "reversed"),
      INTERVAL_MS[interval],
    );
  }, [chart, fills, units, interval, theme]);
}

export const firstInterval = (): Interval => recall<Interval>("interval") ?? "1m";
