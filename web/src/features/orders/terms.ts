/** The packed `terms` of an order, bit by bit as `exchange/domain/order.py` has them. */

export const TIMES_IN_FORCE = ["gtc", "gtd", "ioc", "fok"] as const;
export const SELF_TRADES = ["cancel_taker", "cancel_maker", "cancel_both", "decrement"] as const;
export const TRIGGERS = ["none", "stop_loss", "take_profit", "trailing"] as const;

export type TimeInForce = (typeof TIMES_IN_FORCE)[number];
export type SelfTrade = (typeof SELF_TRADES)[number];
export type Trigger = (typeof TRIGGERS)[number];

export interface Terms {
  readonly timeInForce: TimeInForce;
  readonly postOnly: boolean;
  readonly selfTrade: SelfTrade;
  readonly trigger: Trigger;
  /** Lots that the book shows at a time; 0: all. */
  readonly displayed: bigint;
  readonly trailBps: number;
  /** Orders with one number cancel one another; 0: none. */
  readonly group: number;
}

export function packTerms(terms: Terms): bigint {
  return (
    BigInt(TIMES_IN_FORCE.indexOf(terms.timeInForce)) |
    (terms.postOnly ? 4n : 0n) |
    (BigInt(SELF_TRADES.indexOf(terms.selfTrade)) << 3n) |
    (BigInt(TRIGGERS.indexOf(terms.trigger)) << 5n) |
    (terms.displayed << 16n) |
    (BigInt(terms.trailBps) << 80n) |
    (BigInt(terms.group) << 96n)
  );
}

const TRIGGER_SOURCE = 3n << 8n;
const RESERVED = (0x3fn << 10n) | TRIGGER_SOURCE;

/** The terms in `word`; null where it sets what this page does not know. */
export function unpackTerms(word: bigint): Terms | null {
  const part = (at: bigint, bits: bigint) => (word >> at) & ((1n << bits) - 1n);
  const timeInForce = TIMES_IN_FORCE[Number(part(0n, 2n))];
  const selfTrade = SELF_TRADES[Number(part(3n, 2n))];
  const trigger = TRIGGERS[Number(part(5n, 3n))];
  if (word >> 128n || word & RESERVED || !timeInForce || !selfTrade || !trigger) return null;
  return {
    timeInForce,
    postOnly: part(2n, 1n) === 1n,
    selfTrade,
    trigger,
    displayed: part(16n, 64n),
    trailBps: Number(part(80n, 16n)),
    group: Number(part(96n, 32n)),
  };
}
