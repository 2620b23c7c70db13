/** One market's book: sorted price levels of both sides, changed in place, outside React. */

export interface Level {
  readonly price: bigint;
  readonly lots: bigint;
}

type Pairs = readonly (readonly [string, string])[];

class Side {
  private readonly lots = new Map<bigint, bigint>();
  private sorted: Level[] | null = [];

  constructor(private readonly bestIsHighest: boolean) {}

  replace(pairs: Pairs): void {
    this.lots.clear();
    this.sorted = null;
    this.change(pairs);
  }

  change(pairs: Pairs): void {
    for (const [price, quantity] of pairs) {
      const lots = BigInt(quantity);
      if (lots === 0n) this.lots.delete(BigInt(price));
      else this.lots.set(BigInt(price), lots);
    }
    if (pairs.length) this.sorted = null;
  }

  /** Best first. */
  get levels(): readonly Level[] {
    if (!this.sorted) {
      const direction = this.bestIsHighest ? -1 : 1;
      this.sorted = [...this.lots]
        .map(([price, lots]) => ({ price, lots }))
        .sort((a, b) => (a.price < b.price ? -direction : a.price > b.price ? direction : 0));
    }
    return this.sorted;
  }
}

export class Book {
  private readonly bidSide = new Side(true);
  private readonly askSide = new Side(false);

  replace(bids: Pairs, asks: Pairs): void {
    this.bidSide.replace(bids);
    this.askSide.replace(asks);
  }

  change(bids: Pairs, asks: Pairs): void {
    this.bidSide.change(bids);
    this.askSide.change(asks);
  }

  get bids(): readonly Level[] {
    return this.bidSide.levels;
  }

  get asks(): readonly Level[] {
    return this.askSide.levels;
  }

  /** What an order of `lots` would take at `limit` or better: lots, their quote, and the worst price met. */
  walk(
    takes: "asks" | "bids",
    lots: bigint,
    limit?: bigint,
  ): { lots: bigint; quote: bigint; worst: bigint | null } {
    let taken = 0n;
    let quote = 0n;
    let worst: bigint | null = null;
    for (const level of this[takes]) {
      if (taken >= lots) break;
      if (limit !== undefined && (takes === "asks" ? level.price > limit : level.price < limit)) break;
      const take = level.lots < lots - taken ? level.lots : lots - taken;
      taken += take;
      quote += take * level.price;
      worst = level.price;
    }
    return { lots: taken, quote, worst };
  }

  /** Lots that `quote` ledger units buy, as a `buy_quote` order does: whole lots of each level, best first. */
  walkQuote(quote: bigint, limit?: bigint): { lots: bigint; quote: bigint; worst: bigint | null } {
    let lots = 0n;
    let spent = 0n;
    let worst: bigint | null = null;
    for (const level of this.asks) {
      if (limit !== undefined && level.price > limit) break;
      const afforded = (quote - spent) / level.price;
      const take = level.lots < afforded ? level.lots : afforded;
      if (take === 0n) break;
      lots += take;
      spent += take * level.price;
      worst = level.price;
      if (take < level.lots) break;
    }
    return { lots, quote: spent, worst };
  }
}

/** Levels gathered into steps of `step` price units: bids rounded down, asks up, so that no step looks better than it is. */
export function grouped(
  levels: readonly Level[],
  step: bigint,
  side: "bids" | "asks",
  depth: number,
): Level[] {
  const steps: Level[] = [];
  for (const level of levels) {
    const below = (level.price / step) * step;
    const price = side === "bids" || below === level.price ? below : below + step;
    const last = steps.at(-1);
    if (last?.price === price) steps[steps.length - 1] = { price, lots: last.lots + level.lots };
    else if (steps.length === depth) break;
    else steps.push({ price, lots: level.lots });
  }
  return steps;
}
