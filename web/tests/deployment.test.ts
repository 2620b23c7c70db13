import { decodeFunctionData, encodeFunctionResult, parseAbi } from "viem/utils";
import { expect, test } from "vitest";
import { Unreachable } from "@/lib/api/errors";
import type { Token } from "@/lib/api/types";
import { exchangeAt, listing } from "@/lib/chain/deployment";
import { Chain } from "@/lib/chain/rpc";
import type { Address, Hex } from "@/lib/chain/typedData";

const CUSTODY = `0x${"c1".repeat(20)}` as Address;
const FACTORY = `0x${"f1".repeat(20)}` as Address;
const USDC = `0x${"a1".repeat(20)}` as Address;
const ODD = `0x${"b2".repeat(20)}` as Address;
const ETH = `0x${"00".repeat(20)}` as Address;
const ABI = parseAbi([
  "function token_count() view returns (uint256)",
  "function tokens(uint256 token_id) view returns ((address token, uint256 unit, uint256 decimals, bool deposits_open))",
  "function symbol() view returns (string)",
  "function custody() view returns (address)",
]);
const LISTED = [
  { token: USDC, unit: 1n, decimals: 6n, deposits_open: true },
  { token: ETH, unit: 10n ** 9n, decimals: 18n, deposits_open: true },
  { token: ODD, unit: 1n, decimals: 8n, deposits_open: true },
];

/** A chain with one contract of three tokens, and a factory that serves `served`. */
function chainWith(served: Address = CUSTODY): Chain {
  const answers: Record<string, (to: Address, args: readonly bigint[]) => unknown> = {
    token_count: () => BigInt(LISTED.length),
    tokens: (_, [id]) => LISTED[Number(id)],
    symbol: (to) => (to.toLowerCase() === USDC ? "USDC" : "Verify now at evil.example"),
    custody: () => served,
  };
  return new Chain(async (method, params) => {
    if (method === "eth_chainId") return "0x7a69";
    const { to, data } = params[0] as { to: Address; data: Hex };
    const { functionName, args } = decodeFunctionData({ abi: ABI, data });
    const result = answers[functionName]?.(to, (args ?? []) as readonly bigint[]);
    return encodeFunctionResult({ abi: ABI, functionName, result } as never);
  });
}

const named = (change: Partial<Token> = {}): Token => ({
  token_id: 0,
  asset_id: 7,
  symbol: "USDC",
  address: USDC.toUpperCase().replace("0X", "0x"),
  decimals: 6,
  unit: "1",
  min_withdrawal: "5",
  ...change,
});

test("tokens are the contract's; what it does not know is the exchange's", async () => {
  const { tokens, misnamed } = await listing(chainWith(), CUSTODY, [named()]);
  expect(tokens.map((token) => token.symbol)).toEqual(["USDC", "ETH", "0xb2b2…b2b2"]);
  expect(tokens[0]).toMatchObject({ asset_id: 7, min_withdrawal: "5" });
  expect(tokens[1]).toMatchObject({ token_id: 1, unit: "1000000000", decimals: 18 });
  expect(misnamed).toEqual([]);
});

test.each([{ unit: "1000" }, { decimals: 8 }, { token_id: 1 }, { address: CUSTODY }])(
  "a token named with another %o is found out",
  async (change) => {
    const { tokens, misnamed } = await listing(chainWith(), CUSTODY, [named(change)]);
    expect(misnamed).toEqual(["USDC"]);
    expect(tokens[0]).toMatchObject({ token_id: 0, unit: "1", decimals: 6 });
  },
);

test("a token goes by its own name, whatever the exchange calls it, and a false name is shown", async () => {
  const { tokens, misnamed } = await listing(chainWith(), CUSTODY, [named({ symbol: "WBTC" })]);
  expect(tokens[0]).toMatchObject({ symbol: "USDC", asset_id: 7 });
  expect(misnamed).toEqual(["WBTC ≠ USDC"]);
  const odd = named({ token_id: 2, address: ODD, decimals: 8, symbol: "USDC" });
  const nameless = await listing(chainWith(), CUSTODY, [odd]);
  expect(nameless.tokens[2]?.symbol).toBe("0xb2b2…b2b2");
});

test("a node that does not answer leaves no token nameless", async () => {
  const whole = chainWith();
  const chain = new Chain(async (method, params) => {
    if ((params[0] as { to?: Address } | undefined)?.to?.toLowerCase() === USDC)
      throw new Unreachable("away");
    return whole.ask(method, params);
  });
  await expect(listing(chain, CUSTODY, [])).rejects.toThrow("away");
});

test("an exchange by its contract alone has tokens, and names no node", async () => {
  const found = await exchangeAt(chainWith(), CUSTODY, FACTORY);
  expect(found).toMatchObject({ chain_id: 31_337, contract: CUSTODY, deposit_addresses: FACTORY });
  expect(found.tokens.map((token) => token.symbol)).toEqual(["USDC", "ETH", "0xb2b2…b2b2"]);
  expect(found.public_rpc_url).toBeNull();
});

test("a factory of another contract is refused", async () => {
  await expect(exchangeAt(chainWith(USDC), CUSTODY, FACTORY)).rejects.toThrow("another contract");
});
