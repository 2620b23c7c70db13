/**
 * A market's units. The exchange counts `quantity` in lots and `price` in quote ledger units per lot, so that notional =
 * price x quantity exactly; people read a price per whole coin and a quantity of coins. This converts exactly or says no.
 */
import type { Asset, Exchange, MarketRules } from "@/lib/api/types";
import { divideUp, fixed, parseDecimal, pow10, scaleDown, scaleExactly, trimmed } from "./decimal";

const MOST_PRICE_DIGITS = 18;

export class MarketUnits {
  readonly id: number;
  readonly symbol: string;
  readonly base: Asset;
  readonly quote: Asset;
  readonly lotSize: bigint;
  readonly tickSize: bigint;
  readonly minNotional: bigint;
  /** Digits behind the point that every price and every quantity needs. */
  readonly priceDigits: number;
  readonly quantityDigits: number;
  // price units per (quote coin per base coin): numerator / denominator
  private readonly top: bigint;
  private readonly bottom: bigint;

  constructor(rules: MarketRules, base: Asset, quote: Asset) {
    this.id = rules.market_id;
    this.symbol = rules.symbol;
    this.base = base;
    this.quote = quote;
    this.lotSize = BigInt(rules.lot_size);
    this.tickSize = BigInt(rules.tick_size);
    this.minNotional = BigInt(rules.min_notional);
    this.top = this.lotSize * pow10(quote.decimals);
    this.bottom = pow10(base.decimals);
    this.priceDigits = this.digitsFor(this.tickSize * this.bottom, this.top);
    this.quantityDigits = this.digitsFor(this.lotSize, this.bottom);
  }

  private digitsFor(top: bigint, bottom: bigint): number {
    for (let digits = 0; digits < MOST_PRICE_DIGITS; digits++) {
      if ((top * pow10(digits)) % bottom === 0n) return digits;
    }
    return MOST_PRICE_DIGITS;
  }

  /** A price as a person reads it, with the digits that the tick needs. */
  price(price: bigint): string {
    return fixed((price * this.bottom * pow10(this.priceDigits)) / this.top, this.priceDigits);
  }

  /** Lots as a person reads them. */
  quantity(lots: bigint): string {
    return fixed((lots * this.lotSize * pow10(this.quantityDigits)) / this.bottom, this.quantityDigits);
  }

  /** Quote ledger units as a person reads them, to the cent or the asset's own precision. */
  quoteAmount(amount: bigint, digits = this.quote.decimals): string {
    return fixed(amount / pow10(this.quote.decimals - digits), digits);
  }

  /** A typed price; null when it is no number or not on the tick. */
  parsePrice(text: string): bigint | null {
    const typed = parseDecimal(text);
    const price = typed && scaleExactly(typed, this.top, this.bottom);
    return price && price > 0n && price % this.tickSize === 0n ? price : null;
  }

  /** The nearest price on the tick at or below (or above) what was typed; null when it is no number. */
  nearestPrice(text: string, up = false): bigint | null {
    const typed = parseDecimal(text);
    if (!typed) return null;
    const below = scaleDown(typed, this.top, this.bottom) / this.tickSize;
    const exact = scaleExactly(typed, this.top, this.bottom) === below * this.tickSize;
    const ticks = up && !exact ? below + 1n : below;
    return (ticks > 0n ? ticks : 1n) * this.tickSize;
  }

  /** A typed quantity of base coins in lots; null when it is no number or not in whole lots. */
  parseQuantity(text: string): bigint | null {
    const typed = parseDecimal(text);
    const lots = typed && scaleExactly(typed, this.bottom, this.lotSize);
    return lots && lots > 0n ? lots : null;
  }

  /** A typed amount of quote coins in quote ledger units. */
  parseQuote(text: string): bigint | null {
    const typed = parseDecimal(text);
    const amount = typed && scaleExactly(typed, pow10(this.quote.decimals), 1n);
    return amount && amount > 0n ? amount : null;
  }

  /** Whole lots in an amount of base ledger units. */
  lotsIn(base: bigint): bigint {
    return base / this.lotSize;
  }

  /** The fewest lots that the market takes at a price. */
  leastLots(price: bigint): bigint {
    return price > 0n ? divideUp(this.minNotional, price) : 1n;
  }

  /** `price` moved by so many basis points, rounded to the tick towards it, at least one tick. */
  shift(price: bigint, bps: bigint): bigint {
    const ticks = (price * (10_000n + bps)) / (10_000n * this.tickSize);
    return (ticks > 0n ? ticks : 1n) * this.tickSize;
  }

  /** The tick and lot as a person reads them. */
  get tickText(): string {
    return trimmed((this.tickSize * this.bottom * pow10(this.priceDigits)) / this.top, this.priceDigits);
  }

  get lotText(): string {
    return trimmed((this.lotSize * pow10(this.quantityDigits)) / this.bottom, this.quantityDigits);
  }

  /** A price as a number of pixels' worth of precision: for drawing only, never for money. */
  toPixelPrice(price: bigint): number {
    return Number(this.price(price));
  }
}

/** The units of every market, by symbol. */
export function unitsOf(exchange: Exchange): ReadonlyMap<string, MarketUnits> {
  const assets = new Map(exchange.assets.map((asset) => [asset.asset_id, asset]));
  const found = new Map<string, MarketUnits>();
  for (const rules of exchange.markets) {
    const base = assets.get(rules.base_asset);
    const quote = assets.get(rules.quote_asset);
    if (base && quote) found.set(rules.symbol, new MarketUnits(rules, base, quote));
  }
  return found;
}
