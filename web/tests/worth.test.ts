import { expect, test } from "vitest";
import { cut, type Quoted, ratesTo, worthOf } from "@/features/worth/worth";
import { MarketUnits } from "@/lib/money/market";
import { BTC, RULES, USDC, units } from "./markets";

const ETH = { asset_id: 3, symbol: "ETH", decimals: 9 };
const ODD = { asset_id: 9, symbol: "ODD", decimals: 2 };
const ethBtc = new MarketUnits(
  { ...RULES, market_id: 2, symbol: "ETH-BTC", base_asset: 3, quote_asset: 2, lot_size: "1000000" },
  ETH,
  BTC,
);
// 60,000 USDC for a bitcoin: 6 USDC for a lot of 0.0001; 0.05 BTC for an ether: 5,000 units for a lot of 0.001
const btc: Quoted = { units, price: 6_000_000n, state: "live" };
const eth: Quoted = { units: ethBtc, price: 5_000n, state: "live" };
const one = (asset: number, amount: bigint, to: number, markets: Quoted[]) =>
  worthOf([{ asset, amount }], ratesTo(to, markets));

test("a coin is worth its last price, and itself", () => {
  expect(one(BTC.asset_id, 100_000_000n, 0, [btc])).toEqual({
    amount: 60_000_000_000n,
    live: true,
    unpriced: [],
  });
  expect(one(0, 7n, 0, [])).toEqual({ amount: 7n, live: true, unpriced: [] });
});

test("a price works both ways, and markets are passed through one after the other", () => {
  expect(one(0, 60_000_000_000n, BTC.asset_id, [btc]).amount).toBe(100_000_000n);
  expect(one(ETH.asset_id, 1_000_000_000n, 0, [btc, eth]).amount).toBe(3_000_000_000n);
  expect(one(0, 3_000_000_000n, ETH.asset_id, [eth, btc]).amount).toBe(1_000_000_000n);
});

test("amounts that no float holds stay exact, and the sum is rounded once, down", () => {
  const huge = 9_007_199_254_740_993n;
  expect(one(BTC.asset_id, huge, 0, [btc]).amount).toBe((huge * 6_000_000n) / 10_000n);
  const third: Quoted = { ...btc, price: 3n };
  const rates = ratesTo(BTC.asset_id, [third]);
  expect(worthOf([{ asset: 0, amount: 1n }], rates).amount).toBe(3_333n);
  const parts = [1n, 1n, 1n].map((amount) => ({ asset: 0, amount }));
  expect(worthOf(parts, rates).amount).toBe(10_000n);
  expect(worthOf([{ asset: 0, amount: -1n }], rates).amount).toBe(-3_334n);
});

test("one price that is not live makes the whole not live", () => {
  expect(one(ETH.asset_id, 1n, 0, [{ ...btc, state: "stale" }, eth]).live).toBe(false);
  expect(one(ETH.asset_id, 1n, BTC.asset_id, [{ ...btc, state: "stale" }, eth]).live).toBe(true);
  expect(one(0, 1n, 0, [{ ...btc, state: "stale" }]).live).toBe(true);
});

test("what has no price is named, and not counted as nothing", () => {
  const rates = ratesTo(0, [btc, { ...eth, price: null }]);
  const parts = [
    { asset: 0, amount: 5n },
    { asset: ETH.asset_id, amount: 1n },
    { asset: ODD.asset_id, amount: 0n },
  ];
  expect(worthOf(parts, rates)).toEqual({ amount: 5n, live: true, unpriced: [ETH.asset_id] });
});

test("a dollar is shown to the cent and a coin to the millionth", () => {
  expect(cut(1_234_567n, USDC)).toBe(123n);
  expect(cut(123_456_789n, BTC)).toBe(1_234_567n);
});
