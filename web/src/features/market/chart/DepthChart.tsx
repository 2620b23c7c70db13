import { useEffect, useRef, useState } from "react";
import { useTheme } from "@/app/theme";
import { localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import type { Level } from "@/lib/stream/book";
import { Empty } from "@/ui/States";
import { type LiveMarket, SLOW_DRAW_MS, useLive } from "../live";

/** So far around the middle the depth is drawn: basis points. */
const REACH_BPS = 300n;
const BPS = 10_000n;
const AXIS = 18;

/** What stands in the book, summed up from the middle outwards, on a canvas drawn once per frame. */
export function DepthChart({ live, units }: { readonly live: LiveMarket; readonly units: MarketUnits }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [pointed, setPointed] = useState<string | null>(null);
  const theme = useTheme((one) => one.theme);
  const empty = useLive(live, (now) => !now.book.bids.length && !now.book.asks.length);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is what changes the colours
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const depth = new Depth(element, live, units);
    const stop = live.onFrame(() => depth.draw());
    const sizes = new ResizeObserver(() => depth.draw());
    sizes.observe(element);
    const point = (event: PointerEvent) => setPointed(depth.sayAt(event.offsetX));
    const leave = () => setPointed(null);
    element.addEventListener("pointermove", point);
    element.addEventListener("pointerleave", leave);
    return () => {
      stop();
      sizes.disconnect();
      element.removeEventListener("pointermove", point);
      element.removeEventListener("pointerleave", leave);
    };
  }, [live, units, theme]);

  return (
    <figure className="relative min-h-64 flex-1" dir="ltr">
      <figcaption className="absolute start-3 top-2 text-xs text-soft">
        {pointed ?? (empty ? "" : <Summary live={live} units={units} />)}
      </figcaption>
      <canvas ref={canvas} role="img" aria-label={t("chart.depth")} className="absolute inset-0 size-full" />
      {empty && (
        <div className="absolute inset-x-0 top-1/3">
          <Empty>{t("book.empty")}</Empty>
        </div>
      )}
    </figure>
  );
}

/** How much stands within one percent of the middle, on each side. */
function Summary({ live, units }: { readonly live: LiveMarket; readonly units: MarketUnits }) {
  const near = useLive(
    live,
    (now) => {
      const middle = middleOf(now);
      if (!middle) return "";
      const sum = (levels: readonly Level[], inside: (price: bigint) => boolean) =>
        levels.reduce((total, level) => (inside(level.price) ? total + level.lots : total), 0n);
      const bids = sum(now.book.bids, (price) => price * 100n >= middle * 99n);
      const asks = sum(now.book.asks, (price) => price * 100n <= middle * 101n);
      return t("depth.summary", {
        bids: localNumber(units.quantity(bids)),
        asks: localNumber(units.quantity(asks)),
        asset: units.base.symbol,
      });
    },
    SLOW_DRAW_MS,
  );
  return near;
}

function middleOf(live: LiveMarket): bigint | null {
  const { bestBid: bid, bestAsk: ask } = live;
  return bid && ask ? (bid + ask) / 2n : (bid ?? ask ?? live.lastPrice);
}

interface Step {
  readonly price: bigint;
  readonly total: bigint;
}

class Depth {
  private low = 0n;
  private high = 0n;
  private bids: Step[] = [];
  private asks: Step[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly live: LiveMarket,
    private readonly units: MarketUnits,
  ) {}

  draw(): void {
    const middle = middleOf(this.live);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = devicePixelRatio;
    if (this.canvas.width !== width * scale) this.canvas.width = width * scale;
    if (this.canvas.height !== height * scale) this.canvas.height = height * scale;
    const pen = this.canvas.getContext("2d");
    if (!pen || !width) return;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!middle) return;
    this.low = (middle * (BPS - REACH_BPS)) / BPS;
    this.high = (middle * (BPS + REACH_BPS)) / BPS;
    this.bids = this.summed(this.live.book.bids);
    this.asks = this.summed(this.live.book.asks);
    const deepest = [this.bids.at(-1)?.total ?? 1n, this.asks.at(-1)?.total ?? 1n].reduce((a, b) =>
      a > b ? a : b,
    );
    const floor = height - AXIS;
    const at = (step: Step) => ({
      x: this.place(step.price, width),
      y: floor - (Number((step.total * 1_000n) / deepest) / 1_000) * (floor - 28),
    });
    this.area(pen, this.bids.map(at), 0, floor, "buy");
    this.area(pen, this.asks.map(at), width, floor, "sell");
    this.axis(pen, width, height);
  }

  /** What stands between the middle and the price at a place, in words. */
  sayAt(x: number): string | null {
    const width = this.canvas.clientWidth;
    const price = this.low + ((this.high - this.low) * BigInt(Math.round(x))) / BigInt(width || 1);
    const bid = this.bids.findLast((step) => step.price >= price);
    const ask = this.asks.findLast((step) => step.price <= price);
    const step = bid ?? ask;
    if (!step) return null;
    return t(bid ? "depth.bids_at" : "depth.asks_at", {
      price: localNumber(this.units.price((price / this.units.tickSize) * this.units.tickSize)),
      total: localNumber(this.units.quantity(step.total)),
      asset: this.units.base.symbol,
    });
  }

  private summed(levels: readonly Level[]): Step[] {
    let total = 0n;
    const steps: Step[] = [];
    for (const { price, lots } of levels) {
      if (price < this.low || price > this.high) break;
      total += lots;
      steps.push({ price, total });
    }
    return steps;
  }

  private place(price: bigint, width: number): number {
    return (Number(((price - this.low) * 100_000n) / (this.high - this.low || 1n)) / 100_000) * width;
  }

  private area(
    pen: CanvasRenderingContext2D,
    points: { x: number; y: number }[],
    edge: number,
    floor: number,
    tone: string,
  ): void {
    const [first] = points;
    if (!first) return;
    const color = cssColor(tone);
    pen.beginPath();
    pen.moveTo(first.x, floor);
    let y = floor;
    for (const point of points) {
      pen.lineTo(point.x, y);
      pen.lineTo(point.x, point.y);
      y = point.y;
    }
    pen.lineTo(edge, y);
    pen.strokeStyle = color;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.lineTo(edge, floor);
    pen.closePath();
    pen.fillStyle = `${color}26`;
    pen.fill();
  }

  private axis(pen: CanvasRenderingContext2D, width: number, height: number): void {
    pen.fillStyle = cssColor("soft");
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    for (const part of [1n, 2n, 3n]) {
      const price = this.low + ((this.high - this.low) * part) / 4n;
      const text = localNumber(this.units.price((price / this.units.tickSize) * this.units.tickSize));
      pen.textAlign = "center";
      pen.fillText(text, (width * Number(part)) / 4, height - 2);
    }
  }
}

const cssColor = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
