/** The calls of the custody contract that its roles make, and what it says of itself. Loaded with the operator's console. */
import { decodeFunctionResult, encodeFunctionData, keccak256, parseAbi } from "viem/utils";
import { type Argument, type PlainCall, plainCall } from "./plainCall";
import type { Chain } from "./rpc";
import type { Address, Hex } from "./typedData";

const GOVERNING = parseAbi([
  "function pause(uint256 duration)",
  "function unpause()",
  "function remove_operator()",
  "function schedule(bytes32 operation_hash)",
  "function unschedule(bytes32 operation_hash)",
  "function set_market_status(uint256 market_id, bool halted)",
  "function list_market(uint256 base_token_id, uint256 quote_token_id, uint256 lot_size)",
]);

const STATE = parseAbi([
  "function paused_until() view returns (uint256)",
  "function pause_ready_at() view returns (uint256)",
  "function last_seen() view returns (uint256)",
  "function frozen() view returns (bool)",
  "function launched() view returns (bool)",
  "function operation_ready_at(bytes32 operation_hash) view returns (uint256)",
]);

export type Governing = (typeof GOVERNING)[number]["name"];

/** A call of a role's. */
export function governingCall(to: Address, name: Governing, args: readonly Argument[] = []): PlainCall {
  return plainCall(GOVERNING, to, name, args);
}

/** What the contract says of itself at the chain's latest block; times in unix seconds. */
export interface ContractState {
  readonly pausedUntil: number;
  readonly pauseReadyAt: number;
  readonly lastSeen: number;
  readonly frozen: boolean;
  readonly launched: boolean;
  readonly now: number;
}

type View = (typeof STATE)[number]["name"];

async function view(chain: Chain, custody: Address, functionName: View, args: readonly Hex[] = []) {
  const data = encodeFunctionData({ abi: STATE, functionName, args } as never);
  return decodeFunctionResult({
    abi: STATE,
    functionName,
    data: await chain.call(custody, data),
  } as never) as unknown;
}

export async function contractState(chain: Chain, custody: Address): Promise<ContractState> {
  const [pausedUntil, pauseReadyAt, lastSeen, frozen, launched, block] = await Promise.all([
    view(chain, custody, "paused_until"),
    view(chain, custody, "pause_ready_at"),
    view(chain, custody, "last_seen"),
    view(chain, custody, "frozen"),
    view(chain, custody, "launched"),
    chain.ask("eth_getBlockByNumber", ["latest", false]) as Promise<{ timestamp: Hex }>,
  ]);
  return {
    pausedUntil: Number(pausedUntil),
    pauseReadyAt: Number(pauseReadyAt),
    lastSeen: Number(lastSeen),
    frozen: frozen === true,
    launched: launched === true,
    now: Number(block.timestamp),
  };
}

/** By what an owner's call is announced: the hash of its calldata. */
export const operationOf = (call: PlainCall): Hex => keccak256(call.data);

/** From when an announced call may be made, in unix seconds; 0 while it is not announced. */
export async function readyAt(chain: Chain, custody: Address, operation: Hex): Promise<number> {
  return Number(await view(chain, custody, "operation_ready_at", [operation]));
}
