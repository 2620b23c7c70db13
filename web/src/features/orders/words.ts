/** What an order's trigger, terms and expiry mean, in words: whoever signs an order reads all of it. */
import { type Key, localDateTime, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { type Terms, unpackTerms } from "./terms";

/** What these words are of. */
export interface Conditions {
  readonly triggerPrice: bigint;
  readonly terms: bigint;
  /** Unix seconds. */
  readonly expiry: number;
}

/** A name and what stands for it. */
export type Fact = readonly [name: string, value: string];

/** When the order starts, how it works and until when; what is as usual is left out, what is unknown is not. */
export function conditionsOf({ triggerPrice, terms: word, expiry }: Conditions, units: MarketUnits): Fact[] {
  const terms = unpackTerms(word);
  const until: Fact = [t("orders.until"), localDateTime(expiry * 1_000)];
  if (!terms) return [[t("form.more"), t("terms.unknown", { terms: `${word}` })], until];
  const price = (amount: bigint) => `${localNumber(units.price(amount))} ${units.quote.symbol}`;
  return [...triggerOf(terms, triggerPrice, price), ...kindsOf(terms, units), until];
}

function triggerOf(terms: Terms, triggerPrice: bigint, price: (amount: bigint) => string): Fact[] {
  if (terms.trigger === "none" && !triggerPrice) return [];
  const kind = t(`trigger.${terms.trigger}` as Key);
  const trail = terms.trailBps ? `${localNumber(trimmed(BigInt(terms.trailBps), 2))} %` : "";
  const waits = triggerPrice ? t("orders.waits", { price: price(triggerPrice) }) : t("orders.trails");
  return [[t("orders.trigger"), [kind, waits, trail].filter(Boolean).join(" · ")]];
}

function kindsOf(terms: Terms, units: MarketUnits): Fact[] {
  const inForce = t(`tif.${terms.timeInForce}` as Key);
  const facts: Fact[] = [
    [t("form.time_in_force"), terms.postOnly ? `${inForce} · ${t("form.post_only")}` : inForce],
  ];
  if (terms.selfTrade !== "cancel_taker")
    facts.push([t("form.self_trade"), t(`self_trade.${terms.selfTrade}` as Key)]);
  if (terms.displayed)
    facts.push([t("form.displayed"), `${localNumber(units.quantity(terms.displayed))} ${units.base.symbol}`]);
  if (terms.group) facts.push([t("terms.group"), t("terms.one_of", { group: `${terms.group}` })]);
  return facts;
}
