/** Keys that the page itself keeps: the burner wallet of the local chain, and delegated keys. Loaded when needed. */
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { hashStruct, hashTypedData } from "viem/utils";
import type { Ask } from "./rpc";
import { type Call, mustBeOn, type Signer } from "./signer";
import { type Address, type Fields, type Hex, TYPES, type TypedData, typesOf } from "./typedData";

const PRIORITY_FEE = 1_000_000_000n;
const GAS_MARGIN_PERCENT = 125n;

export const newKey = generatePrivateKey;

/** The address of a key. */
export const addressOf = (key: Hex): Address => privateKeyToAccount(key).address;

/** What a tree of orders holds of one. */
export const structHashOf = (order: Fields): Hex =>
  hashStruct({ data: order, primaryType: "Order", types: { Order: TYPES.Order } } as never);

/** By what something signed is known everywhere: an order's hash above all. */
export const digestOf = ({ domain, primaryType, message }: TypedData): Hex =>
  hashTypedData({ domain, primaryType, types: typesOf(primaryType), message } as never);

/** A signer with a key at hand, which asks nobody. Without `chain` it sends no transactions. */
export function keySigner(key: Hex, chain?: Ask): Signer {
  const account = privateKeyToAccount(key);
  return {
    address: account.address,
    asks: false,
    signTypedData: (data: TypedData) =>
      account.signTypedData({
        domain: data.domain,
        primaryType: data.primaryType,
        types: typesOf(data.primaryType),
        message: data.message,
      } as never),
    signText: (text: string) => account.signMessage({ message: text }),
    send: async (call: Call, chainId: number) => {
      if (!chain) throw new Error("this key sends no transactions");
      return sendWith(key, chain, call, chainId);
    },
  };
}

async function sendWith(key: Hex, ask: Ask, call: Call, chainId: number): Promise<Hex> {
  const account = privateKeyToAccount(key);
  const transaction = {
    from: account.address,
    to: call.to,
    data: call.data,
    value: `0x${(call.value ?? 0n).toString(16)}`,
  };
  const [found, nonce, block, gas] = await Promise.all([
    ask("eth_chainId", []),
    ask("eth_getTransactionCount", [account.address, "pending"]),
    ask("eth_getBlockByNumber", ["latest", false]) as Promise<{ baseFeePerGas?: Hex }>,
    ask("eth_estimateGas", [transaction]),
  ]);
  mustBeOn(chainId, Number(found));
  const raw = await account.signTransaction({
    type: "eip1559",
    chainId,
    nonce: Number(nonce),
    to: call.to,
    data: call.data,
    value: call.value ?? 0n,
    gas: (BigInt(gas as string) * GAS_MARGIN_PERCENT) / 100n,
    maxPriorityFeePerGas: PRIORITY_FEE,
    maxFeePerGas: 2n * BigInt(block.baseFeePerGas ?? "0x0") + PRIORITY_FEE,
  });
  return (await ask("eth_sendRawTransaction", [raw])) as Hex;
}
