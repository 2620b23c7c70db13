/** The chart on its canvas. Loaded when a chart is shown. Numbers here are places on a screen, never money. */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Candle, Fill } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { type Bar, type Drawn, type Indicator, linesOf } from "./indicators";

const NEAR_START = 20;
const FEW = 60;
const RSI_HEIGHT = 90;

const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A horizontal line with a word: an order of the user's, or a level that the user drew. */
export interface Mark {
  readonly price: bigint;
  readonly title: string;
  readonly tone: "buy" | "sell" | "accent";
}

export class Drawing {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly fills: ISeriesMarkersPluginApi<Time>;
  private readonly lines = new Map<string, ISeriesApi<"Line">>();
  private marks: IPriceLine[] = [];
  private shown: readonly Mark[] = [];
  private list: readonly Candle[] = [];
  private chosen: readonly Indicator[] = [];

  constructor(
    element: HTMLElement,
    private readonly units: MarketUnits,
    told: { nearStart(): void; clicked(price: bigint): void },
  ) {
    this.chart = createChart(element, { autoSize: true, layout: { attributionLogo: false } });
    this.candles = this.chart.addSeries(CandlestickSeries, { priceFormat: this.priceFormat() });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.fills = createSeriesMarkers(this.candles, []);
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_START) told.nearStart();
    });
    this.chart.subscribeClick(({ point }) => {
      const place = point && this.candles.coordinateToPrice(point.y);
      const price = place && place > 0 ? units.nearestPrice(place.toFixed(units.priceDigits)) : null;
      if (price) told.clicked(price);
    });
    this.paint();
  }

  private priceFormat() {
    return {
      type: "custom",
      minMove: this.units.toPixelPrice(this.units.tickSize),
      formatter: (price: number) => localNumber(price.toFixed(this.units.priceDigits)),
    } as const;
  }

  /** Take the theme's colours. */
  paint(): void {
    const [up, down] = [color("buy"), color("sell")];
    const line = { color: color("grid") };
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: color("panel") },
        textColor: color("soft"),
        fontSize: 11,
        panes: { separatorColor: color("line") },
      },
      grid: { vertLines: line, horzLines: line },
      rightPriceScale: { borderColor: color("line") },
      timeScale: { borderColor: color("line"), timeVisible: true, secondsVisible: false },
    });
    this.candles.applyOptions({
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
      borderVisible: false,
    });
    this.volume.setData(this.list.map((candle) => this.column(candle)));
    this.mark(this.shown);
  }

  replace(candles: readonly Candle[]): void {
    const first = !this.list.length;
    this.list = candles;
    this.candles.setData(candles.map((candle) => this.bar(candle)));
    this.volume.setData(candles.map((candle) => this.column(candle)));
    this.drawIndicators();
    if (first && candles.length && candles.length < FEW)
      this.chart.timeScale().setVisibleLogicalRange({ from: candles.length - FEW, to: candles.length + 3 });
  }

  update(all: readonly Candle[], changed: readonly Candle[]): void {
    this.list = all;
    for (const candle of changed) {
      this.candles.update(this.bar(candle));
      this.volume.update(this.column(candle));
    }
    this.drawIndicators(true);
  }

  /** Show these indicators and no others. */
  indicate(chosen: readonly Indicator[]): void {
    this.chosen = chosen;
    this.drawIndicators();
  }

  /** Show these horizontal lines and no others. */
  mark(marks: readonly Mark[]): void {
    this.shown = marks;
    for (const line of this.marks) this.candles.removePriceLine(line);
    this.marks = marks.map(({ price, title, tone }) =>
      this.candles.createPriceLine({
        price: this.units.toPixelPrice(price),
        title,
        color: color(tone),
        lineWidth: 1,
        lineStyle: tone === "accent" ? LineStyle.Solid : LineStyle.Dashed,
        axisLabelVisible: true,
      }),
    );
  }

  /** Show where the user's own orders were filled. */
  markFills(fills: readonly Fill[], intervalMs: number): void {
    const markers = fills.map((fill) => {
      const buys = fill.side === "buy";
      return {
        time: timeOf(Math.floor(fill.at / intervalMs) * intervalMs),
        position: buys ? ("belowBar" as const) : ("aboveBar" as const),
        shape: buys ? ("arrowUp" as const) : ("arrowDown" as const),
        color: color(buys ? "buy" : "sell"),
        text: localNumber(this.units.quantity(BigInt(fill.quantity))),
      };
    });
    this.fills.setMarkers(markers.sort((a, b) => a.time - b.time));
  }

  close(): void {
    this.chart.remove();
  }

  private drawIndicators(lastOnly = false): void {
    const lines = linesOf(
      this.chosen,
      this.list.map((candle) => this.numbers(candle)),
    );
    for (const [name, series] of this.lines) {
      if (lines.some((line) => line.name === name)) continue;
      this.chart.removeSeries(series);
      this.lines.delete(name);
    }
    for (const line of lines) {
      const series = this.lines.get(line.name) ?? this.addLine(line);
      const points = this.list.flatMap((candle, place) => {
        const value = line.values[place];
        return value === null || value === undefined ? [] : [{ time: timeOf(candle.start_ms), value }];
      });
      const last = points.at(-1);
      if (lastOnly && last) series.update(last);
      else series.setData(points);
    }
  }

  private addLine(line: Drawn): ISeriesApi<"Line"> {
    const options = {
      color: line.color,
      lineWidth: 1 as const,
      priceLineVisible: false,
      lastValueVisible: Boolean(line.apart),
      crosshairMarkerVisible: false,
    };
    const series = line.apart
      ? this.chart.addSeries(LineSeries, options, 1)
      : this.chart.addSeries(LineSeries, { ...options, priceFormat: this.priceFormat() });
    if (line.apart) this.chart.panes()[1]?.setHeight(RSI_HEIGHT);
    this.lines.set(line.name, series);
    return series;
  }

  private numbers(candle: Candle): Bar {
    const { open, high, low, close } = this.bar(candle);
    return {
      open,
      high,
      low,
      close,
      start: candle.start_ms,
      volume: Number(this.units.quantity(BigInt(candle.base_volume))),
    };
  }

  private bar(candle: Candle) {
    const place = (price: string) => this.units.toPixelPrice(BigInt(price));
    return {
      time: timeOf(candle.start_ms),
      open: place(candle.open),
      high: place(candle.high),
      low: place(candle.low),
      close: place(candle.close),
    };
  }

  private column(candle: Candle) {
    const rises = BigInt(candle.close) >= BigInt(candle.open);
    const value = Number(this.units.quantity(BigInt(candle.base_volume)));
    return { time: timeOf(candle.start_ms), value, color: `${color(rises ? "buy" : "sell")}55` };
  }
}

/** The chart draws in UTC; shift by the zone so that it reads as the user's own time. */
function timeOf(ms: number): UTCTimestamp {
  const zone = new Date(ms).getTimezoneOffset() * 60;
  return (ms / 1_000 - zone) as UTCTimestamp;
}
