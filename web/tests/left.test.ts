import { decodeFunctionData, encodeFunctionResult, parseAbi } from "viem/utils";
import { expect, test } from "vitest";
import { theExchange, useExchange } from "@/app/exchange";
import { nameContract, theLeft } from "@/features/leave/left";
import { isWrongChain, ownNodes } from "@/features/wallet/store";
import type { Exchange } from "@/lib/api/types";
import { Chain } from "@/lib/chain/rpc";
import type { Address, Hex } from "@/lib/chain/typedData";

const FALSE = `0x${"fa".repeat(20)}` as Address;
const REAL = `0x${"c1".repeat(20)}` as Address;
const ETH = `0x${"00".repeat(20)}` as Address;
const ABI = parseAbi([
  "function token_count() view returns (uint256)",
  "function tokens(uint256 token_id) view returns ((address token, uint256 unit, uint256 decimals, bool deposits_open))",
]);
const ANSWERS: Record<string, unknown> = {
  token_count: 1n,
  tokens: { token: ETH, unit: 1n, decimals: 18n, deposits_open: true },
};

const chain = new Chain(async (method, params) => {
  if (method === "eth_chainId") return "0x539";
  const { functionName } = decodeFunctionData({ abi: ABI, data: (params[0] as { data: Hex }).data });
  return encodeFunctionResult({ abi: ABI, functionName, result: ANSWERS[functionName] } as never);
});

test("a contract's address pasted on /leave never becomes the exchange of the app", async () => {
  await nameContract(chain, FALSE, null);
  expect(theLeft()).toMatchObject({ contract: FALSE, chain_id: 1_337 });
  expect(useExchange.getState()).toMatchObject({ exchange: null, changed: null });
  expect(() => theExchange()).toThrow("not known yet");
  expect(isWrongChain({ chainId: 1 })).toBe(false);
  expect(ownNodes(theLeft())).toEqual([]);
});

test("the exchange's own answer comes before what was pasted on /leave, and is no change of contract", async () => {
  await nameContract(chain, FALSE, null);
  useExchange.setState({ exchange: { contract: REAL, chain_id: 1 } as Exchange });
  expect(theLeft().contract).toBe(REAL);
  expect(useExchange.getState().changed).toBeNull();
});
