import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { confirmedExchange, useExchange, watchExchange } from "@/app/exchange";
import { builtOtherwise, changesOf, trusted } from "@/app/identity";
import { api } from "@/lib/api/client";
import type { Exchange } from "@/lib/api/types";

const known = {
  chain_id: 31_337,
  contract: "0xAA",
  operator_bond: "0xBB",
  deposit_addresses: "0xCC",
  domain: { name: "Bizzan", version: "1", chainId: 31_337, verifyingContract: "0xAA" },
  server_time: 0,
  assets: [],
  markets: [],
} as unknown as Exchange;

const others: [string, Partial<Exchange>][] = [
  ["chain_id", { chain_id: 1 }],
  ["contract", { contract: "0xEE" }],
  ["operator_bond", { operator_bond: "0xEE" }],
  ["deposit_addresses", { deposit_addresses: "0xEE" }],
  ["domain.verifyingContract", { domain: { ...known.domain, verifyingContract: "0xEE" } }],
];

beforeEach(() => {
  vi.stubGlobal("document", { hidden: false });
  vi.spyOn(api, "status").mockReturnValue(new Promise(() => undefined));
  useExchange.setState({ exchange: known, changed: null, confirmed: false });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test.each(others)("another %s than last time is noticed", (name, change) => {
  expect(changesOf(known, { ...known, ...change }).map((one) => one.name)).toEqual([name]);
});

test("the same exchange, however written, and the first one are no change", () => {
  expect(changesOf(known, { ...known, contract: "0xaa", server_time: 7 })).toEqual([]);
  expect(changesOf(null, known)).toEqual([]);
});

test("another exchange is not taken before the user says so", async () => {
  const found = { ...known, contract: "0xEE" };
  vi.spyOn(api, "exchange").mockResolvedValue(found);
  void watchExchange();
  await vi.waitFor(() => expect(useExchange.getState().changed).not.toBeNull());
  expect(useExchange.getState().exchange).toBe(known);
  useExchange.getState().changed?.accept();
  await vi.waitFor(() => expect(useExchange.getState().exchange).toBe(found));
  expect(useExchange.getState().changed).toBeNull();
});

test("the exchange of last time comes without a question", async () => {
  const again = { ...known, server_time: 7 };
  vi.spyOn(api, "exchange").mockResolvedValue(again);
  void watchExchange();
  await vi.waitFor(() => expect(useExchange.getState().exchange).toBe(again));
  expect(useExchange.getState().changed).toBeNull();
});

test("what the browser keeps is not signed for before the exchange has said the same", async () => {
  expect(() => confirmedExchange()).toThrow("has not said yet");
  const again = { ...known, server_time: 7 };
  vi.spyOn(api, "exchange").mockResolvedValue(again);
  void watchExchange();
  await vi.waitFor(() => expect(confirmedExchange()).toBe(again));
});

test("nothing is signed while the exchange names another contract, and what the user takes is", async () => {
  const found = { ...known, contract: "0xEE" };
  vi.spyOn(api, "exchange").mockResolvedValue(found);
  void watchExchange();
  await vi.waitFor(() => expect(() => confirmedExchange()).toThrow("decide on that first"));
  useExchange.getState().changed?.accept();
  await vi.waitFor(() => expect(confirmedExchange()).toBe(found));
});

test("an app that was built for a contract takes no other from the browser's storage, and asks about another answer", () => {
  const built = { chain_id: 31_337, contract: "0xaa" };
  expect(trusted(known, built)).toBe(known);
  expect(trusted(known, null)).toBe(known);
  expect(trusted({ ...known, contract: "0xEE" }, null)).not.toBeNull();
  for (const change of [
    { contract: "0xEE" },
    { chain_id: 1 },
    { domain: { ...known.domain, verifyingContract: "0xEE" } },
  ]) {
    expect(trusted({ ...known, ...change }, built)).toBeNull();
    expect(builtOtherwise({ ...known, ...change }, built)).toHaveLength(1);
  }
  expect(builtOtherwise(known, built)).toEqual([]);
});

test("an app that was built for a factory of deposit addresses takes no other", () => {
  const built = { chain_id: 31_337, contract: "0xaa", deposit_addresses: "0xcc" };
  expect(builtOtherwise(known, built)).toEqual([]);
  const found = { ...known, deposit_addresses: "0xEE" };
  expect(builtOtherwise(found, built).map((one) => one.name)).toEqual(["deposit_addresses"]);
  expect(trusted(found, built)).toBeNull();
});
