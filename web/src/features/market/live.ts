/** A market as it is now: book and tape, outside React. Views draw once per frame after something has changed. */
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { stream } from "@/app/stream";
import type { Trade } from "@/lib/api/types";
import { nextFrame } from "@/lib/frame";
import { Book } from "@/lib/stream/book";
import type { ChannelState, Message } from "@/lib/stream/client";
import { useTickers } from "./tickers";

const KEPT_TRADES = 100;
/** Of what is much to draw, so often at most. */
export const SLOW_DRAW_MS = 200;

type Pairs = [string, string][];

/** The worst of several: what is not live is not live. */
export function worstOf(...states: ChannelState[]): ChannelState {
  return states.includes("stale") ? "stale" : states.includes("syncing") ? "syncing" : "live";
}

export class LiveMarket {
  readonly book = new Book();
  trades: Trade[] = [];
  bookState: ChannelState = "syncing";
  tradesState: ChannelState = "syncing";
  /** Counts changes, for views that compare. */
  version = 0;
  private readonly views = new Set<() => void>();
  private readonly stops: (() => void)[];
  private readonly flush = () => {
    for (const view of this.views) view();
  };

  constructor(readonly symbol: string) {
    const changed = () => {
      this.version++;
      nextFrame(this.flush);
    };
    this.stops = [
      stream.subscribe(`book.${symbol}`, {
        message: (message) => {
          if (message.type === "snapshot") this.book.replace(message.bids as Pairs, message.asks as Pairs);
          else this.book.change(message.bids as Pairs, message.asks as Pairs);
          changed();
        },
        state: (state) => {
          this.bookState = state;
          changed();
        },
      }),
      stream.subscribe(`trades.${symbol}`, {
        message: (message) => {
          this.addTrades(message);
          changed();
        },
        state: (state) => {
          this.tradesState = state;
          changed();
        },
      }),
    ];
  }

  private addTrades(message: Message): void {
    const trades = message.trades as Trade[];
    if (message.type === "snapshot") this.trades = trades.slice(0, KEPT_TRADES);
    else this.trades = [...trades].reverse().concat(this.trades).slice(0, KEPT_TRADES);
  }

  /** Draw whenever something has changed; the answer stops it. */
  onFrame(view: () => void): () => void {
    this.views.add(view);
    nextFrame(view);
    return () => this.views.delete(view);
  }

  get bestBid(): bigint | null {
    return this.book.bids[0]?.price ?? null;
  }

  get bestAsk(): bigint | null {
    return this.book.asks[0]?.price ?? null;
  }

  get lastPrice(): bigint | null {
    const last = this.trades[0]?.price ?? useTickers.getState().tickers.get(this.symbol)?.last_price;
    return last ? BigInt(last) : null;
  }

  close(): void {
    for (const stop of this.stops) stop();
    this.views.clear();
  }
}

/** The live market of a symbol, for as long as the component stands. */
export function useLiveMarket(symbol: string): LiveMarket | null {
  const [live, setLive] = useState<LiveMarket | null>(null);
  useEffect(() => {
    const opened = new LiveMarket(symbol);
    setLive(opened);
    return () => {
      opened.close();
      setLive(null);
    };
  }, [symbol]);
  return live?.symbol === symbol ? live : null;
}

/**
 * Something of the live market as a value that React compares: strings, numbers, bigints, booleans. With `everyMs` a change is
 * looked at no more often than that, for what would be much to draw in each frame.
 */
export function useLive<V extends string | number | bigint | boolean | null>(
  live: LiveMarket,
  read: (live: LiveMarket) => V,
  everyMs = 0,
): V {
  const subscribe = useCallback(
    (changed: () => void) => {
      if (!everyMs) return live.onFrame(changed);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const leave = live.onFrame(() => {
        timer ??= setTimeout(() => {
          timer = undefined;
          changed();
        }, everyMs);
      });
      return () => {
        clearTimeout(timer);
        leave();
      };
    },
    [live, everyMs],
  );
  return useSyncExternalStore(subscribe, () => read(live));
}
