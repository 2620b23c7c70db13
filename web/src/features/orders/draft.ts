/**
 * What the order form holds, and the order that it means. Whatever the engine would refuse for a reason that stands in the
 * form or in the market's rules is said here, as the user types; the rest is the engine's to say.
 */

import type { Key, Params } from "@/lib/i18n";
import { parseDecimal, scaleExactly, trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { packTerms, type SelfTrade, type TimeInForce, type Trigger } from "./terms";

export interface Draft {
  readonly side: "buy" | "sell";
  readonly kind: "limit" | "market";
  readonly trigger: Trigger;
  readonly price: string;
  readonly amount: string;
  /** What `amount` counts; quote is for market purchases only. */
  readonly unit: "base" | "quote";
  readonly triggerPrice: string;
  /** Percent. */
  readonly trail: string;
  readonly timeInForce: TimeInForce;
  readonly postOnly: boolean;
  readonly selfTrade: SelfTrade;
  /** Shown at a time, of base; empty: all. */
  readonly displayed: string;
  /** With a stop beside it, of which and of this only one ever fills. */
  readonly withStop: boolean;
  /** At which price that stop starts. */
  readonly stopPrice: string;
  /** For good-till-date, as a local date and time. */
  readonly until: string;
  /** Percent by which a market order may be worse than the best price. */
  readonly slippage: string;
}

export const EMPTY: Draft = {
  side: "buy",
  kind: "limit",
  trigger: "none",
  price: "",
  amount: "",
  unit: "base",
  triggerPrice: "",
  trail: "1",
  timeInForce: "gtc",
  postOnly: false,
  selfTrade: "cancel_taker",
  displayed: "",
  withStop: false,
  stopPrice: "",
  until: "",
  slippage: "1",
};

export type Field =
  | "price"
  | "amount"
  | "triggerPrice"
  | "trail"
  | "displayed"
  | "stopPrice"
  | "until"
  | "slippage"
  | "timeInForce";

export interface Complaint {
  readonly key: Key;
  readonly params: Params;
}

/** An order but for its account, nonce and fee cap. */
export interface Meant {
  readonly side: "buy" | "sell" | "buy_quote";
  readonly price: bigint;
  readonly quantity: bigint;
  readonly triggerPrice: bigint;
  readonly terms: bigint;
  readonly expiry: number;
  readonly singleFill: boolean;
}

/** What the form knows of the world. */
export interface Surroundings {
  readonly bestBid: bigint | null;
  readonly bestAsk: bigint | null;
  readonly lastPrice: bigint | null;
  /** Milliseconds, by the exchange's clock. */
  readonly now: number;
  /** Unix seconds at which the key that signs ends, if a delegated one does. */
  readonly keyExpiry: number | null;
  readonly maxQuantity: bigint;
  readonly maxNotional: bigint;
}

export interface Judged {
  readonly meant: Meant | null;
  /** The other leg of one of two. */
  readonly second: Meant | null;
  readonly complaints: Partial<Record<Field, Complaint>>;
}

const MAX_SECONDS = 30 * 86_400;
const MAX_DELEGATED_SECONDS = 86_400;
const MARKET_SECONDS = 60;
const MAX_WORD = (1n << 63n) - 1n;
/** With its fee on top, an order's quote must still be counted: this leaves room for one of a hundredth. */
const MAX_QUOTE = (MAX_WORD * 99n) / 100n;
const MARGIN_SECONDS = 180;
const BPS = 10_000n;
const MAX_SLIPPAGE_BPS = 5_000n;

/** Percent as basis points; null when it is no number with at most two digits behind the point. */
export function parsePercent(text: string): bigint | null {
  const typed = parseDecimal(text);
  return typed && scaleExactly(typed, 100n, 1n);
}

export function judge(draft: Draft, units: MarketUnits, around: Surroundings): Judged {
  const complaints: Partial<Record<Field, Complaint>> = {};
  const complain = (field: Field, key: Key, params: Params = {}) => {
    complaints[field] ??= { key, params };
    return null;
  };
  const triggerPrice = judgeTrigger(draft, units, complain);
  const price = judgePrice(draft, units, around, triggerPrice, complain);
  const quantity = judgeAmount(draft, units, price, around, complain);
  const displayed = judgeDisplayed(draft, units, price, quantity, complain);
  const trailBps = judgeTrail(draft, complain);
  const expiry = judgeExpiry(draft, around, complain);
  if (draft.selfTrade === "decrement" && timeInForceOf(draft) === "fok")
    complain("timeInForce", "form.decrement_fok");
  const whole =
    triggerPrice !== null && price && quantity && displayed !== null && trailBps !== null && expiry;
  const stop = withStopOf(draft) ? judgeStop(draft, units, around, price, quantity, complain) : null;
  const missing = !whole || (withStopOf(draft) && !stop);
  if (missing || Object.keys(complaints).length) return { meant: null, second: null, complaints };
  const timeInForce = timeInForceOf(draft);
  const group = stop ? Math.floor(around.now / 1_000) : 0;
  const terms = packTerms({
    timeInForce,
    postOnly: postOnlyOf(draft),
    selfTrade: draft.selfTrade,
    trigger: draft.trigger,
    displayed,
    trailBps,
    group,
  });
  const side = inQuote(draft) ? "buy_quote" : draft.side;
  const singleFill = timeInForce === "ioc" || timeInForce === "fok";
  const meant: Meant = { side, price, quantity, triggerPrice, terms, expiry, singleFill };
  return { meant, second: stop && secondLeg(meant, stop, draft, group), complaints };
}

/** One of two goes with an order that rests and waits for nothing. */
export const withStopOf = (draft: Draft): boolean =>
  draft.withStop && draft.kind === "limit" && draft.trigger === "none" && !isTaking(timeInForceOf(draft));

/** Where the stop starts, and the worst price that it then takes. */
interface Stop {
  readonly trigger: bigint;
  readonly worst: bigint;
}

function judgeStop(
  draft: Draft,
  units: MarketUnits,
  around: Surroundings,
  price: bigint | null,
  quantity: bigint | null,
  complain: Complain,
): Stop | null {
  if (!draft.stopPrice) return null;
  const trigger =
    units.parsePrice(draft.stopPrice) ?? complain("stopPrice", "form.off_tick", { tick: units.tickText });
  const slippage = judgeSlippage(draft, complain);
  if (!trigger || slippage === null) return null;
  const from = around.lastPrice ?? price ?? trigger;
  const sells = draft.side === "sell";
  if (sells ? trigger >= from : trigger <= from)
    return complain("stopPrice", sells ? "form.stop_above" : "form.stop_below", { last: units.price(from) });
  const worst = units.shift(trigger, sells ? -slippage : slippage);
  const refused = quantity && beyond(quantity, worst, units, around);
  if (refused) return complain("stopPrice", refused.key, refused.params);
  return { trigger, worst };
}

function secondLeg(first: Meant, stop: Stop, draft: Draft, group: number): Meant {
  const terms = packTerms({
    timeInForce: "ioc",
    postOnly: false,
    selfTrade: draft.selfTrade,
    trigger: "stop_loss",
    displayed: 0n,
    trailBps: 0,
    group,
  });
  return { ...first, price: stop.worst, triggerPrice: stop.trigger, terms, singleFill: true };
}

/** A market order is an order that takes at once or ends, with the worst price that is accepted. */
export function timeInForceOf(draft: Draft): TimeInForce {
  if (draft.kind === "limit")
    return draft.trigger !== "none" && isTaking(draft.timeInForce) ? "gtc" : draft.timeInForce;
  return draft.timeInForce === "fok" ? "fok" : "ioc";
}

const isTaking = (timeInForce: TimeInForce): boolean => timeInForce === "ioc" || timeInForce === "fok";

export const postOnlyOf = (draft: Draft): boolean =>
  draft.postOnly && draft.kind === "limit" && !isTaking(timeInForceOf(draft));

export const inQuote = (draft: Draft): boolean =>
  draft.unit === "quote" && draft.side === "buy" && draft.kind === "market" && draft.trigger === "none";

type Complain = (field: Field, key: Key, params?: Params) => null;

function judgeTrigger(draft: Draft, units: MarketUnits, complain: Complain): bigint | null {
  if (draft.trigger === "none" || draft.trigger === "trailing") return 0n;
  if (!draft.triggerPrice) return null;
  return (
    units.parsePrice(draft.triggerPrice) ??
    complain("triggerPrice", "form.off_tick", { tick: units.tickText })
  );
}

function judgePrice(
  draft: Draft,
  units: MarketUnits,
  around: Surroundings,
  triggerPrice: bigint | null,
  complain: Complain,
): bigint | null {
  if (draft.kind === "limit") {
    if (!draft.price) return null;
    const price =
      units.parsePrice(draft.price) ?? complain("price", "form.off_tick", { tick: units.tickText });
    return price && price > MAX_WORD ? complain("price", "form.too_much") : price;
  }
  const slippage = judgeSlippage(draft, complain);
  if (slippage === null) return null;
  const best = draft.side === "buy" ? around.bestAsk : around.bestBid;
  const from = draft.trigger === "none" ? (best ?? around.lastPrice) : triggerPrice || around.lastPrice;
  if (!from) return null;
  return draft.side === "buy" ? units.shift(from, slippage) : units.shift(from, -slippage);
}

/** Half of the price at most: more is a slip of the keys. */
function judgeSlippage(draft: Draft, complain: Complain): bigint | null {
  const slippage = parsePercent(draft.slippage);
  return slippage === null || slippage > MAX_SLIPPAGE_BPS
    ? complain("slippage", "form.bad_percent")
    : slippage;
}

function judgeAmount(
  draft: Draft,
  units: MarketUnits,
  price: bigint | null,
  around: Surroundings,
  complain: Complain,
): bigint | null {
  if (!draft.amount) return null;
  if (inQuote(draft)) {
    const amount = units.parseQuote(draft.amount);
    if (!amount) return complain("amount", "form.bad_amount", { digits: units.quote.decimals });
    if (amount < units.minNotional || (price && amount < price))
      return complain("amount", "form.too_small", leastOf(units));
    const refused = beyondQuote(amount, units, around);
    return refused ? complain("amount", refused.key, refused.params) : amount;
  }
  const lots = units.parseQuantity(draft.amount);
  if (!lots) return complain("amount", "form.off_lot", { lot: units.lotText, asset: units.base.symbol });
  if (price && lots * price < units.minNotional) return complain("amount", "form.too_small", leastOf(units));
  const refused = beyond(lots, price, units, around);
  return refused ? complain("amount", refused.key, refused.params) : lots;
}

/** Why an order of so many lots is too large, if it is. */
function beyond(
  lots: bigint,
  price: bigint | null,
  units: MarketUnits,
  around: Surroundings,
): Complaint | null {
  if (around.maxQuantity && lots > around.maxQuantity)
    return {
      key: "form.too_large",
      params: { most: units.quantity(around.maxQuantity), asset: units.base.symbol },
    };
  if (lots * units.lotSize > MAX_WORD) return { key: "form.too_much", params: {} };
  return price ? beyondQuote(lots * price, units, around) : null;
}

function beyondQuote(amount: bigint, units: MarketUnits, around: Surroundings): Complaint | null {
  if (around.maxNotional && amount > around.maxNotional)
    return {
      key: "form.too_large",
      params: { most: trimmed(around.maxNotional, units.quote.decimals), asset: units.quote.symbol },
    };
  return amount > MAX_QUOTE ? { key: "form.too_much", params: {} } : null;
}

const leastOf = (units: MarketUnits): Params => ({
  least: trimmed(units.minNotional, units.quote.decimals),
  asset: units.quote.symbol,
});

function judgeDisplayed(
  draft: Draft,
  units: MarketUnits,
  price: bigint | null,
  quantity: bigint | null,
  complain: Complain,
): bigint | null {
  if (!draft.displayed || draft.kind === "market" || isTaking(timeInForceOf(draft))) return 0n;
  const lots = units.parseQuantity(draft.displayed);
  if (!lots) return complain("displayed", "form.off_lot", { lot: units.lotText, asset: units.base.symbol });
  if (quantity && lots >= quantity) return complain("displayed", "form.displayed_all");
  if (quantity && lots * 100n < quantity) return complain("displayed", "form.displayed_little");
  if (price && lots * price < units.minNotional)
    return complain("displayed", "form.too_small", leastOf(units));
  return lots;
}

function judgeTrail(draft: Draft, complain: Complain): number | null {
  if (draft.trigger !== "trailing") return 0;
  const bps = parsePercent(draft.trail);
  return bps && bps > 0n && bps < BPS ? Number(bps) : complain("trail", "form.bad_percent");
}

function judgeExpiry(draft: Draft, around: Surroundings, complain: Complain): number | null {
  const now = Math.floor(around.now / 1_000);
  const longest = around.keyExpiry === null ? MAX_SECONDS : MAX_DELEGATED_SECONDS;
  const latest = Math.min(now + longest - MARGIN_SECONDS, around.keyExpiry ?? Number.POSITIVE_INFINITY);
  if (isTaking(timeInForceOf(draft)) && draft.trigger === "none")
    return Math.min(now + MARKET_SECONDS, latest);
  if (timeInForceOf(draft) !== "gtd") return latest;
  if (!draft.until) return complain("until", "form.until_missing");
  const until = Math.floor(new Date(draft.until).getTime() / 1_000);
  if (!(until > now)) return complain("until", "form.until_past");
  if (until > latest)
    return complain("until", "form.until_far", { days: around.keyExpiry === null ? 30 : 1 });
  return until;
}
