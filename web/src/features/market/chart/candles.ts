/** Candles of one market and interval: the past from REST, the present from the stream. */
import { stream } from "@/app/stream";
import { api } from "@/lib/api/client";
import type { Candle } from "@/lib/api/types";
import type { ChannelState } from "@/lib/stream/client";

export const INTERVALS = ["1m", "5m", "15m", "1h", "4h", "1d", "1w"] as const;
export type Interval = (typeof INTERVALS)[number];

export const INTERVAL_MS: Readonly<Record<Interval, number>> = {
  "1m": 60_000,
  "5m": 300_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "4h": 14_400_000,
  "1d": 86_400_000,
  "1w": 604_800_000,
};

const PAGE = 500;

export interface CandleView {
  /** All of them anew, oldest first. */
  replace(candles: readonly Candle[]): void;
  /** The last ones have changed, or are new. */
  update(all: readonly Candle[], changed: readonly Candle[]): void;
  state(state: ChannelState): void;
  failed(error: unknown): void;
}

export class Candles {
  readonly list: Candle[] = [];
  private closed = false;
  private complete = false;
  private loading = false;
  private failed = false;
  /** Whether the list is all that there was when it was asked for, which may be nothing. */
  private loaded = false;
  private readonly leave: () => void;

  constructor(
    private readonly symbol: string,
    private readonly interval: Interval,
    private readonly view: CandleView,
  ) {
    this.leave = stream.subscribe(`candles.${symbol}.${interval}`, {
      message: (message) => {
        // after a gap the last two may not be all that is missing
        if (this.failed || (message.type === "snapshot" && this.list.length)) void this.load();
        else this.merge(message.candles as Candle[]);
      },
      state: (state) => view.state(state),
    });
    void this.load();
  }

  close(): void {
    this.closed = true;
    this.leave();
  }

  /** Load what lies before the first candle, if there is any. */
  async older(): Promise<void> {
    const first = this.list[0];
    if (!first || this.complete || this.loading) return;
    this.loading = true;
    try {
      const page = await api.candles(this.symbol, this.interval, PAGE, first.start_ms);
      if (this.closed) return;
      this.complete = page.candles.length < PAGE;
      if (!page.candles.length) return;
      this.list.unshift(...page.candles);
      this.view.replace(this.list);
    } catch (error) {
      if (!this.closed) this.view.failed(error);
    } finally {
      this.loading = false;
    }
  }

  private async load(): Promise<void> {
    this.failed = false;
    this.loaded = false;
    try {
      const page = await api.candles(this.symbol, this.interval, PAGE);
      if (this.closed) return;
      const first = page.candles[0]?.start_ms ?? Number.POSITIVE_INFINITY;
      const before = this.list.filter((candle) => candle.start_ms < first);
      this.list.splice(0, this.list.length, ...before, ...page.candles);
      if (!before.length) this.complete = page.candles.length < PAGE;
      this.loaded = true;
      this.view.replace(this.list);
    } catch (error) {
      this.failed = true;
      if (!this.closed) this.view.failed(error);
    }
  }

  private merge(candles: readonly Candle[]): void {
    if (!this.list.length) {
      if (this.loaded && candles.length) void this.load(); // the first trade of a market
      return;
    }
    const changed = candles.filter((candle) => candle.start_ms >= (this.list.at(-1)?.start_ms ?? 0));
    for (const candle of changed) {
      if (this.list.at(-1)?.start_ms === candle.start_ms) this.list.pop();
      this.list.push(candle);
    }
    if (changed.length) this.view.update(this.list, changed);
  }
}
