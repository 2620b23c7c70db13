import { encodeFunctionResult, parseAbi } from "viem";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useExchange } from "@/app/exchange";
import type { Meant } from "@/features/orders/draft";
import { feeMost, isCapWithin, previewKey, priced } from "@/features/orders/feeCap";
import { amendOrder, placeOrder, placeTwo } from "@/features/orders/place";
import { useWallet, type Wallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { ApiError, Unreachable } from "@/lib/api/errors";
import type { Ack, Exchange, Preview } from "@/lib/api/types";
import type { Address, Fields, TypedData } from "@/lib/chain/typedData";

const CUSTODY: Address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const ACCOUNT: Address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const ABI = parseAbi(["function fee_cap_bps() view returns (uint256)"]);
const CONTRACT_BPS = 25;

const meant: Meant = {
  side: "buy",
  price: 1_000_000n,
  quantity: 100n,
  triggerPrice: 0n,
  terms: 0n,
  expiry: 1_800_000_000,
  singleFill: false,
};
const signedCaps: unknown[] = [];

beforeEach(() => {
  signedCaps.length = 0;
  useExchange.setState({
    confirmed: true,
    changed: null,
    exchange: {
      chain_id: 31_337,
      contract: CUSTODY,
      public_rpc_url: null,
      domain: { name: "Bizzan", version: "1", chainId: 31_337, verifyingContract: CUSTODY },
    } as Exchange,
  });
  const data = encodeFunctionResult({ abi: ABI, functionName: "fee_cap_bps", result: BigInt(CONTRACT_BPS) });
  const signTypedData = async ({ primaryType, message }: TypedData) => {
    const orders = primaryType === "BulkOrder" ? (message.tree as readonly Fields[]) : [message];
    signedCaps.push(...orders.map((order) => order.max_fee_bps));
    return "0x" as const;
  };
  const wallet = {
    kind: "injected",
    name: "Mine",
    signer: { address: ACCOUNT, asks: true, signTypedData },
    provider: { provider: { request: async () => data } },
  };
  useWallet.setState({ wallet: wallet as unknown as Wallet, chainId: 31_337, delegate: null });
  vi.spyOn(api, "place").mockResolvedValue({ seq: 1 } as Ack);
  vi.spyOn(api, "placeGroup").mockResolvedValue({ first: { seq: 1 } as Ack, second: { seq: 2 } as Ack });
  vi.spyOn(api, "preview").mockResolvedValue({ max_fee_bps: 25 } as Preview);
});
afterEach(() => vi.restoreAllMocks());

test("the cap that is signed is the one of the preview that is shown, and none is asked for at the click", async () => {
  await placeOrder({ meant, feeCap: 7 }, 1);
  await placeTwo({ meant, feeCap: 8 }, { meant, feeCap: 9 }, 1);
  expect(signedCaps).toEqual([7n, 8n, 9n]);
  expect(api.preview).not.toHaveBeenCalled();
});

test("both legs are signed by one signature and sent together", async () => {
  await placeTwo({ meant, feeCap: 8 }, { meant: { ...meant, price: 7n }, feeCap: 9 }, 1);
  expect(api.place).not.toHaveBeenCalled();
  const [sent] = vi.mocked(api.placeGroup).mock.calls[0] ?? [];
  expect(sent?.first).toMatchObject({ scheme: "bulk", index: 0, price: "1000000", max_fee_bps: 8 });
  expect(sent?.second).toMatchObject({ scheme: "bulk", index: 1, price: "7", max_fee_bps: 9 });
  expect(Object.keys(sent ?? {})).toEqual(["first", "second"]);
  expect(sent?.first.path).not.toEqual(sent?.second.path);
});

test("legs of which no answer came are sent again as they were, and not signed anew", async () => {
  const lost = new ApiError(503, "unavailable", "lost", null, { outcome: "unknown" });
  const two = () => placeTwo({ meant, feeCap: 8 }, { meant: { ...meant, price: 7n }, feeCap: 9 }, 1);
  vi.mocked(api.placeGroup).mockRejectedValueOnce(lost).mockRejectedValueOnce(new Unreachable("no answer"));
  await expect(two()).rejects.toThrow("lost");
  await expect(two()).rejects.toThrow("no answer");
  await two();
  const sent = vi.mocked(api.placeGroup).mock.calls.map(([group]) => group);
  expect(sent[1]).toBe(sent[0]);
  expect(sent[2]).toBe(sent[0]);
  expect(signedCaps).toEqual([8n, 9n]);
  vi.mocked(api.placeGroup).mockRejectedValueOnce(new ApiError(409, "group_used", "used"));
  await expect(two()).rejects.toThrow("used");
  await two();
  const nonces = vi.mocked(api.placeGroup).mock.calls.map(([group]) => group.first.nonce);
  expect(new Set(nonces).size).toBe(3);
});

test("a cap above the contract's own is not signed, for neither leg", async () => {
  await expect(placeOrder({ meant, feeCap: CONTRACT_BPS + 1 }, 1)).rejects.toThrow("nothing was signed");
  await expect(placeTwo({ meant, feeCap: 1 }, { meant, feeCap: 65_535 }, 1)).rejects.toThrow("above");
  expect(signedCaps).toEqual([]);
  expect(api.place).not.toHaveBeenCalled();
  expect(api.placeGroup).not.toHaveBeenCalled();
  await placeOrder({ meant, feeCap: CONTRACT_BPS }, 1);
  expect(signedCaps).toEqual([25n]);
});

test("the most that is shown comes from the cap", () => {
  expect(feeMost(meant, 10)).toBe(100_000n);
  expect(feeMost({ ...meant, side: "buy_quote", quantity: 9_999n }, 1)).toBe(0n);
  expect([0, 25, 26, -1, 0.5].map((cap) => isCapWithin(cap, 25))).toEqual([true, true, false, false, false]);
});

test("nothing is ready to be signed before its preview is on the page", () => {
  expect(priced(meant, null)).toBeNull();
  expect(priced(meant, { max_fee_bps: 7, worst_fee: "1" } as Preview)).toEqual({ meant, feeCap: 7 });
});

test("a preview is of this order and no other; a market order's price and a group's number may move on", () => {
  const key = previewKey(meant);
  for (const change of [
    { side: "sell" as const },
    { price: 2n },
    { quantity: 2n },
    { triggerPrice: 2n },
    { terms: 4n },
  ])
    expect(previewKey({ ...meant, ...change })).not.toBe(key);
  expect(previewKey({ ...meant, terms: 9n << 96n })).toBe(key);
  const market = { ...meant, singleFill: true };
  expect(previewKey({ ...market, price: 2n })).toBe(previewKey(market));
});

test("no order is signed before the exchange itself has said which contract is its own, nor while it names another", async () => {
  useExchange.setState({ confirmed: false });
  await expect(placeOrder({ meant, feeCap: 7 }, 1)).rejects.toThrow("has not said yet");
  useExchange.setState({ confirmed: true, changed: { changes: [], accept: () => undefined } });
  await expect(placeOrder({ meant, feeCap: 7 }, 1)).rejects.toThrow("decide on that first");
  await expect(placeTwo({ meant, feeCap: 7 }, { meant, feeCap: 7 }, 1)).rejects.toThrow(
    "decide on that first",
  );
  await expect(amendOrder({ meant, feeCap: 7 }, 1, 1n, () => () => undefined)).rejects.toThrow("decide");
  expect(signedCaps).toEqual([]);
});
