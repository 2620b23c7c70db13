/** The chart on its canvas. Loaded when a chart is shown. Numbers here are places on a screen, never money. */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Candle } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";

const NEAR_START = 20;

const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Drawing {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;

  constructor(
    element: HTMLElement,
    private readonly units: MarketUnits,
    onNearStart: () => void,
  ) {
    this.chart = createChart(element, { autoSize: true, layout: { attributionLogo: false } });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      priceFormat: {
        type: "custom",
        minMove: units.toPixelPrice(units.tickSize),
        formatter: (price: number) => localNumber(price.toFixed(units.priceDigits)),
      },
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_START) onNearStart();
    });
    this.paint();
  }

  /** Take the theme's colours. */
  paint(): void {
    const [up, down] = [color("buy"), color("sell")];
    const line = { color: color("line") };
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: color("panel") },
        textColor: color("soft"),
        fontSize: 11,
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
  }

  replace(candles: readonly Candle[]): void {
    this.candles.setData(candles.map((candle) => this.bar(candle)));
    this.volume.setData(candles.map((candle) => this.column(candle)));
  }

  update(candles: readonly Candle[]): void {
    for (const candle of candles) {
      this.candles.update(this.bar(candle));
      this.volume.update(this.column(candle));
    }
  }

  close(): void {
    this.chart.remove();
  }

  private bar(candle: Candle) {
    const place = (price: string) => this.units.toPixelPrice(BigInt(price));
    return {
      time: timeOf(candle),
      open: place(candle.open),
      high: place(candle.high),
      low: place(candle.low),
      close: place(candle.close),
    };
  }

  private column(candle: Candle) {
    const rises = BigInt(candle.close) >= BigInt(candle.open);
    const value = Number(this.units.quantity(BigInt(candle.base_volume)));
    return { time: timeOf(candle), value, color: `${color(rises ? "buy" : "sell")}55` };
  }
}

/** The chart draws in UTC; shift by the zone so that it reads as the user's own time. */
function timeOf(candle: Candle): UTCTimestamp {
  const zone = new Date(candle.start_ms).getTimezoneOffset() * 60;
  return (candle.start_ms / 1_000 - zone) as UTCTimestamp;
}
