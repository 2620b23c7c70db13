import { decodeFunctionData, encodeFunctionResult, parseAbi } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { beforeEach, describe, expect, test } from "vitest";
import { useExchange } from "@/app/exchange";
import { typedOrder } from "@/features/orders/place";
import { hashOf } from "@/features/proof/receipt";
import { comparedBlock, isBonded, receiptStanding, standingOf } from "@/features/proof/standing";
import { fromOwnNode, ownNodes, useWallet, type Wallet } from "@/features/wallet/store";
import type { Exchange, OrderFields, Token } from "@/lib/api/types";
import { reservesAt } from "@/lib/chain/ledger";
import { firstTold } from "@/lib/chain/nodes";
import { type Ask, Chain, ChainRefused } from "@/lib/chain/rpc";
import { Rejected } from "@/lib/chain/signer";
import type { Address } from "@/lib/chain/typedData";

const CUSTODY: Address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const COIN: Address = "0x00000000000000000000000000000000000000C0";
const FORGED: Address = "0x00000000000000000000000000000000000000Bd";
const ABI = parseAbi([
  "function token_count() view returns (uint256)",
  "function tokens(uint256 token_id) view returns ((address token, uint256 unit, uint256 decimals, bool deposits_open))",
  "function liabilities(uint256 token_id) view returns (uint256)",
  "function balanceOf(address owner) view returns (uint256)",
]);

/** A node whose contract lists one coin, of which it owes 5 ledger units and holds `held`. */
const nodeThatHolds = (held: bigint): Ask => {
  return async (_, params) => {
    const [{ to, data }] = params as [{ to: Address; data: `0x${string}` }];
    const { functionName } = decodeFunctionData({ abi: ABI, data });
    if (functionName === "balanceOf") expect(to).toBe(COIN);
    const result = {
      token_count: 1n,
      tokens: { token: COIN, unit: 100n, decimals: 8n, deposits_open: true },
      liabilities: 5n,
      balanceOf: held,
    }[functionName];
    return encodeFunctionResult({ abi: ABI, functionName, result } as never);
  };
};

const named: Token = {
  token_id: 0,
  asset_id: 0,
  symbol: "COIN",
  address: COIN,
  decimals: 8,
  unit: "100",
  min_withdrawal: "0",
};

describe("reserves of an API that lies", () => {
  const stand = async (held: bigint, token: Token = named, sum: bigint | null = 5n, old = false) => {
    const [chain] = await reservesAt(new Chain(nodeThatHolds(held)), CUSTODY, 7);
    return standingOf({ token, chain, sum, old });
  };

  test("unit and address are the contract's", async () => {
    expect(await stand(500n)).toBe("covered");
    expect(await stand(499n)).toBe("short");
    expect(await stand(5n, { ...named, unit: "1" })).toBe("misnamed");
    expect(await stand(500n, { ...named, address: FORGED })).toBe("misnamed");
    expect(await stand(500n, { ...named, decimals: 6 })).toBe("misnamed");
    expect(await stand(500n, named, 4n)).toBe("differs");
  });

  test("its block must be near the node's head, or nothing is compared", async () => {
    expect(comparedBlock(1_000, 1_020)).toEqual({ block: 1_000, old: false });
    expect(comparedBlock(1_000, 1_021)).toEqual({ block: 1_021, old: true });
    expect(comparedBlock(1_001, 1_000)).toEqual({ block: 1_000, old: true });
    expect(comparedBlock(null, 1_000)).toEqual({ block: 1_000, old: false });
    expect(await stand(500n, named, null, true)).toBe("unknown");
  });
});

describe("which node is asked", () => {
  const wallet = (ask: Ask): Wallet =>
    ({
      kind: "injected",
      name: "Mine",
      provider: { provider: { request: ({ method, params }: never) => ask(method, params) } },
    }) as unknown as Wallet;

  beforeEach(() => {
    useExchange.setState({
      exchange: { chain_id: 31_337, public_rpc_url: "http://named.example:8545" } as Exchange,
    });
    useWallet.setState({ wallet: null, chainId: null });
  });

  test("the wallet's before the one that the exchange names, and only on this chain", async () => {
    expect(ownNodes().map((node) => [node.name, node.named])).toEqual([["named.example:8545", true]]);
    useWallet.setState({ wallet: wallet(async () => "0x7"), chainId: 31_337 });
    expect(ownNodes().map((node) => node.named)).toEqual([false, true]);
    expect(await fromOwnNode((chain) => chain.blockNumber())).toEqual({
      value: 7,
      node: { name: "Mine", named: false },
    });
    useWallet.setState({ chainId: 1 });
    expect(ownNodes().map((node) => node.named)).toEqual([true]);
  });

  test("the next when one does not answer, and which it was is said", async () => {
    const failing = (error: Error) => ({
      name: "a",
      named: false,
      chain: new Chain(() => Promise.reject(error)),
    });
    const good = { name: "b", named: true, chain: new Chain(async () => "0x9") };
    const read = (chain: Chain) => chain.blockNumber();
    expect(await firstTold([failing(new ChainRefused("away", -32_000, null)), good], read)).toEqual({
      value: 9,
      node: { name: "b", named: true },
    });
    await expect(firstTold([failing(new ChainRefused("reverted", 3, null)), good], read)).rejects.toThrow(
      "reverted",
    );
    await expect(firstTold([failing(new Rejected()), good], read)).rejects.toThrow("rejected");
    await expect(firstTold([], read)).rejects.toThrow("no node");
  });
});

describe("a receipt of an order", () => {
  const KEY = privateKeyToAccount(`0x${"1".repeat(64)}`);
  const fields: OrderFields = {
    account: KEY.address,
    market: 1,
    side: "sell",
    price: "1000000",
    quantity: "100",
    nonce: "7",
    expiry: 1_800_000_000,
    max_fee_bps: 10,
    trigger_price: "0",
    terms: "0",
  };

  test("is held against the row's own fields, not against a hash that the API names", () => {
    useExchange.setState({
      exchange: {
        domain: { name: "Bizzan", version: "1", chainId: 31_337, verifyingContract: CUSTODY },
      } as Exchange,
    });
    const hash = hashOf(typedOrder(fields));
    // exchange/domain/eip712.py, for the order above
    expect(hash).toBe("0x5304190b420db1b773086eb26b315fc68a65a52dda8a2151ad1d9c4f4b6e1a05");
    const changes: Partial<OrderFields>[] = [
      { account: CUSTODY },
      { market: 2 },
      { side: "buy" },
      { price: "1000001" },
      { quantity: "101" },
      { nonce: "8" },
      { expiry: 1_800_000_001 },
      { max_fee_bps: 11 },
      { trigger_price: "1" },
      { terms: "1" },
    ];
    for (const change of changes) expect(hashOf(typedOrder({ ...fields, ...change }))).not.toBe(hash);
  });

  test("is good only with a bond behind the key", () => {
    const verdict = { good: true, faults: [], root: null, signedBy: KEY.address };
    const bond = { signer: KEY.address, wei: 1n, slashed: false };
    const standing = (there: typeof bond | null) => receiptStanding(verdict, isBonded(there, KEY.address));
    expect(standing(bond)).toBe("good");
    expect(standing(null)).toBe("alone");
    expect(standing({ ...bond, signer: CUSTODY })).toBe("alone");
    expect(standing({ ...bond, wei: 0n })).toBe("alone");
    expect(standing({ ...bond, slashed: true })).toBe("alone");
    expect(receiptStanding({ ...verdict, good: false }, true)).toBe("bad");
  });
});
