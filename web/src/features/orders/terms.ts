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
