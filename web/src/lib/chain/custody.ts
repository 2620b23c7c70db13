/** Calls of the custody contract and its tokens. Loaded when needed: the encoder is large. */
import { decodeFunctionResult, domainSeparator, encodeFunctionData, parseAbi } from "viem";
import type { Token } from "@/lib/api/types";
import type { Chain } from "./rpc";
import type { Call, Signer } from "./signer";
import type { Address, Hex, TypedData } from "./typedData";

export const CUSTODY = parseAbi([
  "function deposit(address token, uint256 amount, address account, bool to_funding)",
  "function deposit_eth(address account, bool to_funding) payable",
  "function deposit_with_permit(address token, uint256 amount, address account, bool to_funding, uint256 deadline, uint256 v, bytes32 r, bytes32 s)",
  "function add_delegate(address delegate, uint256 markets, uint256 expiry)",
  "function revoke_delegate(address delegate)",
]);

export const TOKEN = parseAbi([
  "function name() view returns (string)",
  "function version() view returns (string)",
  "function nonces(address owner) view returns (uint256)",
  "function DOMAIN_SEPARATOR() view returns (bytes32)",
  "function balanceOf(address owner) view returns (uint256)",
  "function allowance(address owner, address spender) view returns (uint256)",
  "function approve(address spender, uint256 amount) returns (bool)",
  "function transfer(address receiver, uint256 amount) returns (bool)",
]);

export const ETH: Address = "0x0000000000000000000000000000000000000000";
const PERMIT_SECONDS = 600;

export const isEth = (token: Token): boolean => token.address === ETH;

/** What an address holds of a token outside the exchange, in token units. */
export async function tokenBalance(chain: Chain, token: Token, owner: Address): Promise<bigint> {
  if (isEth(token)) return chain.balance(owner);
  const data = encodeFunctionData({ abi: TOKEN, functionName: "balanceOf", args: [owner] });
  return BigInt(await chain.call(token.address as Address, data));
}

/** Deposit token units into the signer's trading balance; the answer is the transaction's hash, mined. */
export async function deposit(
  chain: Chain,
  signer: Signer,
  custody: Address,
  token: Token,
  units: bigint,
  chainId: number,
): Promise<Hex> {
  const send = async (call: Call) => (await chain.mined(await signer.send(call, chainId))).transactionHash;
  if (isEth(token)) {
    const data = encodeFunctionData({
      abi: CUSTODY,
      functionName: "deposit_eth",
      args: [signer.address, false],
    });
    return send({ to: custody, data, value: units });
  }
  const address = token.address as Address;
  const permit = await permitFor(chain, signer, custody, address, units).catch(() => null);
  if (permit) {
    const signature = await signer.signTypedData(permit);
    const [r, s] = [signature.slice(0, 66) as Hex, `0x${signature.slice(66, 130)}` as Hex];
    const v = BigInt(`0x${signature.slice(130)}`);
    const deadline = permit.message.deadline as bigint;
    const args = [address, units, signer.address, false, deadline, v < 27n ? v + 27n : v, r, s] as const;
    return send({
      to: custody,
      data: encodeFunctionData({ abi: CUSTODY, functionName: "deposit_with_permit", args }),
    });
  }
  const allowance = encodeFunctionData({
    abi: TOKEN,
    functionName: "allowance",
    args: [signer.address, custody],
  });
  if (BigInt(await chain.call(address, allowance)) < units) {
    await send({
      to: address,
      data: encodeFunctionData({ abi: TOKEN, functionName: "approve", args: [custody, units] }),
    });
  }
  const args = [address, units, signer.address, false] as const;
  return send({ to: custody, data: encodeFunctionData({ abi: CUSTODY, functionName: "deposit", args }) });
}

/** A permit (EIP-2612) for exactly so many units, for tokens that take one; throws for others. */
async function permitFor(
  chain: Chain,
  signer: Signer,
  spender: Address,
  token: Address,
  value: bigint,
): Promise<TypedData> {
  const read = (functionName: "name" | "DOMAIN_SEPARATOR") =>
    chain.call(token, encodeFunctionData({ abi: TOKEN, functionName }));
  const nonces = encodeFunctionData({ abi: TOKEN, functionName: "nonces", args: [signer.address] });
  const [name, nonce, chainId, block, separator] = await Promise.all([
    read("name"),
    chain.call(token, nonces),
    chain.chainId(),
    chain.ask("eth_getBlockByNumber", ["latest", false]) as Promise<{ timestamp: Hex }>,
    read("DOMAIN_SEPARATOR"),
  ]);
  const domain = {
    name: decodeFunctionResult({ abi: TOKEN, functionName: "name", data: name }),
    version: "1",
    chainId,
    verifyingContract: token,
  };
  if (domainSeparator({ domain }) !== separator)
    throw new Error("the token's permits have a domain of its own");
  return {
    domain,
    primaryType: "Permit",
    message: {
      owner: signer.address,
      spender,
      value,
      nonce: BigInt(nonce),
      deadline: BigInt(block.timestamp) + BigInt(PERMIT_SECONDS),
    },
  };
}

/** Let a key trade for the signer's account, on all markets, until `expiry` (unix seconds). */
export function addDelegate(custody: Address, delegate: Address, markets: bigint, expiry: bigint): Call {
  const args = [delegate, markets, expiry] as const;
  return { to: custody, data: encodeFunctionData({ abi: CUSTODY, functionName: "add_delegate", args }) };
}

/** Take that right back. */
export function revokeDelegate(custody: Address, delegate: Address): Call {
  return {
    to: custody,
    data: encodeFunctionData({ abi: CUSTODY, functionName: "revoke_delegate", args: [delegate] }),
  };
}
