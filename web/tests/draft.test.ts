import { describe, expect, test } from "vitest";
import { type Draft, EMPTY, judge, type Surroundings } from "@/features/orders/draft";
import { Nonces, SINGLE_FILL } from "@/features/orders/nonces";
import { packTerms } from "@/features/orders/terms";
import { units } from "./markets";

const NOW = 1_790_000_000_000;
const around: Surroundings = {
  bestBid: 999_990n,
  bestAsk: 1_000_010n,
  lastPrice: 1_000_000n,
  now: NOW,
  keyExpiry: null,
  maxQuantity: 0n,
  maxNotional: 0n,
};
const of = (part: Partial<Draft>, there: Partial<Surroundings> = {}) =>
  judge({ ...EMPTY, ...part }, units, { ...around, ...there });
const complaint = (part: Partial<Draft>, there: Partial<Surroundings> = {}) => {
  const { meant, complaints } = of(part, there);
  expect(meant).toBeNull();
  return Object.fromEntries(Object.entries(complaints).map(([field, one]) => [field, one?.key]));
};

describe("the order form", () => {
  test("an empty form means nothing and complains of nothing", () => {
    expect(complaint({})).toEqual({});
  });

  test("a limit order", () => {
    const { meant } = of({ price: "9900", amount: "0.01" });
    expect(meant).toMatchObject({
      side: "buy",
      price: 990_000n,
      quantity: 100n,
      terms: 0n,
      singleFill: false,
    });
    expect(meant?.expiry).toBeLessThan(NOW / 1_000 + 30 * 86_400);
  });

  test("a market order takes now or never, at the worst price that the slippage allows", () => {
    expect(of({ kind: "market", amount: "0.01" }).meant).toMatchObject({
      price: 1_010_010n,
      terms: 2n,
      singleFill: true,
    });
    expect(of({ kind: "market", side: "sell", amount: "0.01" }).meant).toMatchObject({
      side: "sell",
      price: 989_990n,
    });
  });

  test("a market purchase for an amount of quote", () => {
    const { meant } = of({ kind: "market", unit: "quote", amount: "50" });
    expect(meant).toMatchObject({ side: "buy_quote", quantity: 50_000_000n, singleFill: true });
  });

  test("a stop waits as what it will be", () => {
    const stop = of({
      side: "sell",
      kind: "market",
      trigger: "stop_loss",
      triggerPrice: "9000",
      amount: "0.01",
    }).meant;
    expect(stop).toMatchObject({ price: 891_000n, triggerPrice: 900_000n, terms: 2n | (1n << 5n) });
    const trailing = of({
      side: "sell",
      kind: "limit",
      price: "8000",
      trigger: "trailing",
      trail: "1.5",
      amount: "0.01",
    });
    expect(trailing.meant?.terms).toBe((3n << 5n) | (150n << 80n));
  });

  test.each<[string, Partial<Draft>, Record<string, string>]>([
    ["off the tick", { price: "9900.05", amount: "0.01" }, { price: "form.off_tick" }],
    ["off the lot", { price: "9900", amount: "0.00001" }, { amount: "form.off_lot" }],
    ["too small", { price: "9900", amount: "0.0001" }, { amount: "form.too_small" }],
    ["no number", { price: "1e4", amount: "0.01" }, { price: "form.off_tick" }],
    ["shows all", { price: "9900", amount: "0.01", displayed: "0.01" }, { displayed: "form.displayed_all" }],
    [
      "shows little",
      { price: "9900", amount: "9", displayed: "0.01" },
      { displayed: "form.displayed_little" },
    ],
    ["no date", { price: "9900", amount: "0.01", timeInForce: "gtd" }, { until: "form.until_missing" }],
    [
      "past",
      { price: "9900", amount: "0.01", timeInForce: "gtd", until: "2020-01-01T00:00" },
      { until: "form.until_past" },
    ],
    [
      "far",
      { price: "9900", amount: "0.01", timeInForce: "gtd", until: "2090-01-01T00:00" },
      { until: "form.until_far" },
    ],
    [
      "reduces all or nothing",
      { price: "9900", amount: "0.01", timeInForce: "fok", selfTrade: "decrement" },
      { timeInForce: "form.decrement_fok" },
    ],
    [
      "slips by half",
      { kind: "market", slippage: "50.01", amount: "0.01" },
      { slippage: "form.bad_percent" },
    ],
  ])("what the engine would refuse is said before: %s", (_, part, said) => {
    expect(complaint(part)).toEqual(said);
  });

  test("one of two is a resting order and a stop, with one group", () => {
    const { meant, second } = of({
      side: "sell",
      price: "11000",
      amount: "0.01",
      withStop: true,
      stopPrice: "9000",
    });
    expect(meant).toMatchObject({ side: "sell", price: 1_100_000n, triggerPrice: 0n });
    expect(second).toMatchObject({ side: "sell", quantity: 100n, triggerPrice: 900_000n, price: 891_000n });
    const group = BigInt(NOW / 1_000) << 96n;
    expect([meant?.terms, second?.terms]).toEqual([group, group | 2n | (1n << 5n)]);
    expect(
      complaint({ side: "sell", price: "11000", amount: "0.01", withStop: true, stopPrice: "10500" }),
    ).toEqual({
      stopPrice: "form.stop_above",
    });
    expect(complaint({ price: "9000", amount: "0.01", withStop: true })).toEqual({});
  });

  test("the stop of one of two slips by half at most, as a market order", () => {
    const both: Partial<Draft> = {
      side: "sell",
      price: "11000",
      amount: "0.01",
      withStop: true,
      stopPrice: "9000",
    };
    expect(of({ ...both, slippage: "50" }).second?.price).toBe(450_000n);
    for (const slippage of ["50.01", "99", "100", "x", ""])
      expect(complaint({ ...both, slippage }), slippage).toEqual({ slippage: "form.bad_percent" });
  });

  test("bounds of the market", () => {
    expect(complaint({ price: "9900", amount: "0.02" }, { maxQuantity: 100n })).toEqual({
      amount: "form.too_large",
    });
    expect(complaint({ price: "9900", amount: "0.02" }, { maxNotional: 1_000_000n })).toEqual({
      amount: "form.too_large",
    });
  });

  test("bounds hold for a purchase by quote and for the stop of one of two", () => {
    const quote: Partial<Draft> = { kind: "market", unit: "quote", amount: "50" };
    expect(complaint(quote, { maxNotional: 49_999_999n })).toEqual({ amount: "form.too_large" });
    const both: Partial<Draft> = { price: "9900", amount: "0.02", withStop: true, stopPrice: "12000" };
    expect(complaint(both, { maxNotional: 200_000_000n })).toEqual({ stopPrice: "form.too_large" });
    expect(complaint({ ...both, stopPrice: "92233720368547758" })).toEqual({ stopPrice: "form.too_much" });
  });

  test("an order of a delegated key ends with the key", () => {
    const keyExpiry = NOW / 1_000 + 3_600;
    expect(of({ price: "9900", amount: "0.01" }, { keyExpiry }).meant?.expiry).toBe(keyExpiry);
  });

  test("post only goes with what rests", () => {
    expect(of({ price: "9900", amount: "0.01", postOnly: true }).meant?.terms).toBe(4n);
    expect(of({ price: "9900", amount: "0.01", postOnly: true, timeInForce: "ioc" }).meant?.terms).toBe(2n);
  });
});

test("terms are packed bit by bit as the exchange reads them", () => {
  const word = packTerms({
    timeInForce: "gtd",
    postOnly: true,
    selfTrade: "decrement",
    trigger: "trailing",
    displayed: 7n,
    trailBps: 250,
    group: 9,
  });
  expect(word).toBe(1n | 4n | (3n << 3n) | (3n << 5n) | (7n << 16n) | (250n << 80n) | (9n << 96n));
});

test("nonces count on, both kinds apart, and skip what is used up", () => {
  const nonces = new Nonces(1_000n);
  expect([nonces.next(false), nonces.next(true), nonces.next(false)]).toEqual([
    1_001n,
    1_001n | SINGLE_FILL,
    1_002n,
  ]);
  nonces.raiseTo(5_000n);
  expect(nonces.next(false)).toBe(5_000n);
});
