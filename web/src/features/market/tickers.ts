/** The tickers of all markets, live; for the market list, the bar above the chart and the page's title. */
import { create } from "zustand";
import { stream } from "@/app/stream";
import type { Ticker } from "@/lib/api/types";
import type { ChannelState } from "@/lib/stream/client";

interface Tickers {
  readonly tickers: ReadonlyMap<string, Ticker>;
  readonly states: ReadonlyMap<string, ChannelState>;
}

export const useTickers = create<Tickers>(() => ({ tickers: new Map(), states: new Map() }));

const followed = new Set<string>();

/** Follow the tickers of these markets from now on. */
export function followTickers(symbols: Iterable<string>): void {
  for (const symbol of symbols) {
    if (followed.has(symbol)) continue;
    followed.add(symbol);
    stream.subscribe(`ticker.${symbol}`, {
      message: (message) =>
        useTickers.setState((now) => ({
          tickers: new Map(now.tickers).set(symbol, message.ticker as Ticker),
        })),
      state: (state) => useTickers.setState((now) => ({ states: new Map(now.states).set(symbol, state) })),
    });
  }
}
