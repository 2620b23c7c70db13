/** Levels that the user drew, by market, kept in the browser. */
import { create } from "zustand";
import { keep, recall } from "@/lib/storage";

const MOST = 12;

type Levels = Readonly<Record<string, readonly string[]>>;

export const useLevels = create<{ levels: Levels }>(() => ({ levels: recall<Levels>("levels") ?? {} }));

function change(symbol: string, levels: readonly string[]): void {
  const now = { ...useLevels.getState().levels, [symbol]: levels };
  keep("levels", now);
  useLevels.setState({ levels: now });
}

/** Draw a level at a price, or take away the one that is there. */
export function toggleLevel(symbol: string, price: bigint): void {
  const there = useLevels.getState().levels[symbol] ?? [];
  const text = `${price}`;
  change(symbol, there.includes(text) ? there.filter((one) => one !== text) : [...there, text].slice(-MOST));
}

export const clearLevels = (symbol: string): void => change(symbol, []);
