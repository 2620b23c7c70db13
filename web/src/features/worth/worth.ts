/**
 * What an amount would be worth in another asset, by the last prices of the exchange's own markets: exact fractions of
 * integers, rounded down once, at the end.
 */
import type { Asset } from "@/lib/api/types";
import { pow10 } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import type { ChannelState } from "@/lib/stream/client";

/** A market's last price. */
export interface Quoted {
  readonly units: MarketUnits;
  /** Quote ledger units per lot; null where nothing has traded. */
  readonly price: bigint | null;
  readonly state: ChannelState;
}

/** Ledger units of the wanted asset for one of another: `top / bottom`. */
export interface Rate {
  readonly top: bigint;
  readonly bottom: bigint;
  /** Whether every price on the way is live. */
  readonly live: boolean;
}

const SAME: Rate = { top: 1n, bottom: 1n, live: true };

/** The rates of all assets that have a way of markets to the wanted one, the shortest first. */
export function ratesTo(wanted: number, markets: readonly Quoted[]): ReadonlyMap<number, Rate> {
  const rates = new Map<number, Rate>([[wanted, SAME]]);
  const waiting = [wanted];
  for (let at = 0; at < waiting.length; at++) {
    const from = waiting[at] as number;
    const known = rates.get(from) as Rate;
    for (const market of markets) {
      const step = stepTo(from, market);
      if (!step || rates.has(step.asset)) continue;
      const live = known.live && market.state === "live";
      rates.set(step.asset, { top: step.top * known.top, bottom: step.bottom * known.bottom, live });
      waiting.push(step.asset);
    }
  }
  return rates;
}

/** The other asset of a market, and what one ledger unit of it is in ledger units of `to`. */
function stepTo(to: number, { units, price }: Quoted): { asset: number; top: bigint; bottom: bigint } | null {
  if (!price) return null;
  if (units.quote.asset_id === to) return { asset: units.base.asset_id, top: price, bottom: units.lotSize };
  if (units.base.asset_id === to) return { asset: units.quote.asset_id, top: units.lotSize, bottom: price };
  return null;
}

export interface Part {
  readonly asset: number;
  readonly amount: bigint;
}

export interface Worth {
  /** Ledger units of the wanted asset, rounded down. */
  readonly amount: bigint;
  readonly live: boolean;
  /** Assets with an amount and no price; what they are worth is not in it. */
  readonly unpriced: readonly number[];
}

/** What several amounts are worth together: one fraction, rounded once. */
export function worthOf(parts: readonly Part[], rates: ReadonlyMap<number, Rate>): Worth {
  let [top, bottom, live] = [0n, 1n, true];
  const unpriced: number[] = [];
  for (const { asset, amount } of parts) {
    const rate = rates.get(asset);
    if (amount === 0n) continue;
    if (!rate) {
      unpriced.push(asset);
      continue;
    }
    top = top * rate.bottom + amount * rate.top * bottom;
    bottom *= rate.bottom;
    live &&= rate.live;
  }
  const down = top / bottom - (top < 0n && top % bottom !== 0n ? 1n : 0n);
  return { amount: down, live, unpriced };
}

const MOST_DIGITS = 6;

/** As many digits as are worth reading: to the cent where a unit is a cent's size, else to a millionth. */
export function shownDigits(asset: Asset): number {
  return asset.decimals <= MOST_DIGITS ? Math.min(2, asset.decimals) : MOST_DIGITS;
}

/** Ledger units cut to the shown digits. */
export const cut = (amount: bigint, asset: Asset): bigint =>
  amount / pow10(asset.decimals - shownDigits(asset));
