/** Which asset worths are shown in, and the rates to it, from the tickers that the app follows anyway. */
import { useMemo } from "react";
import { create } from "zustand";
import { useExchange } from "@/app/exchange";
import { useTickers } from "@/features/market/tickers";
import type { Asset } from "@/lib/api/types";
import { keep, recall } from "@/lib/storage";
import { type Part, type Quoted, type Rate, ratesTo, type Worth, worthOf } from "./worth";

const useChosen = create<{ symbol: string | null }>(() => ({ symbol: recall<string>("display") }));

/** Show worths in this asset from now on, and remember it. */
export function choose(symbol: string): void {
  keep("display", symbol);
  useChosen.setState({ symbol });
}

export interface Display {
  readonly asset: Asset;
  readonly choices: readonly Asset[];
  worth(parts: readonly Part[]): Worth;
}

/** Null while there is no market to take a price from. */
export function useDisplay(): Display | null {
  const units = useExchange((known) => known.units);
  const assets = useExchange((known) => known.exchange?.assets);
  const chosen = useChosen((state) => state.symbol);
  const tickers = useTickers((state) => state.tickers);
  const states = useTickers((state) => state.states);
  return useMemo(() => {
    const markets = [...units.values()].map((one): Quoted => {
      const last = tickers.get(one.symbol)?.last_price;
      return { units: one, price: last ? BigInt(last) : null, state: states.get(one.symbol) ?? "syncing" };
    });
    const quotes = markets.map((one) => one.units.quote);
    const traded = new Set(markets.flatMap((one) => [one.units.quote.asset_id, one.units.base.asset_id]));
    const choices = (assets ?? []).filter((asset) => traded.has(asset.asset_id));
    const asset = choices.find((one) => one.symbol === chosen) ?? quotes[0];
    if (!asset) return null;
    const rates: ReadonlyMap<number, Rate> = ratesTo(asset.asset_id, markets);
    return { asset, choices, worth: (parts) => worthOf(parts, rates) };
  }, [units, assets, chosen, tickers, states]);
}
