import { expect, test } from "vitest";
import { type Provider, walletSigner } from "@/lib/chain/injected";
import { keySigner } from "@/lib/chain/keys";
import type { Address, Hex } from "@/lib/chain/typedData";

const CUSTODY: Address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const KEY: Hex = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const CALL = { to: CUSTODY, data: "0x8456cb59" } as const;

/** A wallet or a node on this chain, and what it was asked to send. */
function on(chainId: number): { provider: Provider; sent: unknown[] } {
  const sent: unknown[] = [];
  const answers: Record<string, unknown> = {
    eth_chainId: `0x${chainId.toString(16)}`,
    eth_getTransactionCount: "0x0",
    eth_getBlockByNumber: { baseFeePerGas: "0x1" },
    eth_estimateGas: "0x5208",
  };
  const request = async ({ method, params }: { method: string; params?: readonly unknown[] | object }) => {
    if (method in answers) return answers[method];
    sent.push((params as readonly unknown[])[0]);
    return "0xabc";
  };
  return { provider: { request }, sent };
}

test("a wallet on another chain is not asked to send", async () => {
  const { provider, sent } = on(1);
  await expect(walletSigner(provider, CUSTODY).send(CALL, 31_337)).rejects.toThrow("on chain 31337");
  expect(sent).toEqual([]);
});

test("a wallet on this chain is told the chain with the call", async () => {
  const { provider, sent } = on(31_337);
  expect(await walletSigner(provider, CUSTODY).send(CALL, 31_337)).toBe("0xabc");
  expect(sent).toEqual([{ ...CALL, from: CUSTODY, value: "0x0", chainId: "0x7a69" }]);
});

test("a key of the page signs no transaction for the chain of a node that is another", async () => {
  const ask =
    ({ provider }: ReturnType<typeof on>) =>
    (method: string, params: readonly unknown[]) =>
      provider.request({ method, params });
  const [other, same] = [on(1), on(31_337)];
  await expect(keySigner(KEY, ask(other)).send(CALL, 31_337)).rejects.toThrow("on chain 31337");
  expect(other.sent).toEqual([]);
  await keySigner(KEY, ask(same)).send(CALL, 31_337);
  expect(same.sent).toHaveLength(1);
});
