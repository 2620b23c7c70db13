/** What the custody contract says by itself, read from a node of the chain, without the exchange. Loaded when needed. */
import { decodeFunctionResult, encodeFunctionData, parseAbi, toEventSelector } from "viem/utils";
import type { Token } from "@/lib/api/types";
import { depositAddressOf } from "./depositAddress";
import type { Chain } from "./rpc";
import type { Address, Hex } from "./typedData";

const VIEWS = parseAbi([
  "function fee_cap_bps() view returns (uint256)",
  "function token_count() view returns (uint256)",
  "function tokens(uint256 token_id) view returns ((address token, uint256 unit, uint256 decimals, bool deposits_open))",
  "function journal_head() view returns (bytes32)",
  "function liabilities(uint256 token_id) view returns (uint256)",
  "function trading_balance(address account, uint256 token_id) view returns (uint256)",
  "function funding_balance(address account, uint256 token_id) view returns (uint256)",
  "function refused_eth(address account) view returns (uint256)",
  "function account_state(address account) view returns ((uint256 min_nonce, uint256 pending_min_nonce, uint256 pending_min_nonce_at, uint256 exit_at, uint256 delegation_nonce, bool has_cancels))",
  "function withdrawal_request(address account, uint256 token_id) view returns ((address recipient, uint256 amount, uint256 claimable_at, uint256 lapses_at))",
  "function windows() view returns ((uint256 delay, uint256 grace, uint256 claim_window, uint256 timelock, uint256 pause_max, uint256 silence))",
  "function last_seen() view returns (uint256)",
  "function frozen() view returns (bool)",
  "function balanceOf(address owner) view returns (uint256)",
  "function signer() view returns (address)",
  "function bond() view returns (uint256)",
  "function slashed_at() view returns (uint256)",
  "function symbol() view returns (string)",
  "function custody() view returns (address)",
]);

const BATCH_SETTLED = toEventSelector("BatchSettled(uint256,bytes32,bytes32,uint256)");
const ETH = "0x0000000000000000000000000000000000000000";

type Height = number | "latest";

/** Asks one contract at one height. */
export class Views {
  constructor(
    private readonly chain: Chain,
    private readonly to: Address,
    private readonly height: Height = "latest",
  ) {}

  async ask<A = bigint>(
    functionName: (typeof VIEWS)[number]["name"],
    args: readonly unknown[] = [],
  ): Promise<A> {
    const data = encodeFunctionData({ abi: VIEWS, functionName, args } as never);
    const tag = this.height === "latest" ? "latest" : `0x${this.height.toString(16)}`;
    const answer = (await this.chain.ask("eth_call", [{ to: this.to, data }, tag])) as Hex;
    return decodeFunctionResult({ abi: VIEWS, functionName, data: answer } as never) as A;
  }
}

async function held(
  chain: Chain,
  token: Pick<Token, "address">,
  owner: Address,
  height: Height = "latest",
): Promise<bigint> {
  if (token.address !== ETH)
    return new Views(chain, token.address as Address, height).ask("balanceOf", [owner]);
  const tag = height === "latest" ? "latest" : `0x${height.toString(16)}`;
  return BigInt((await chain.ask("eth_getBalance", [owner, tag])) as string);
}

/** The most that a fee can ever be of an execution's quote, in basis points. */
export const feeCapOf = async (chain: Chain, custody: Address): Promise<number> =>
  Number(await new Views(chain, custody).ask("fee_cap_bps"));

/** A token as the contract lists it. */
export interface Listed {
  readonly tokenId: number;
  readonly address: Address;
  /** Token units that make one ledger unit. */
  readonly unit: bigint;
  readonly decimals: number;
}

export interface Reserve {
  /** By the contract, whatever the exchange says of it. */
  readonly token: Listed;
  /** Ledger units that the contract owes to all accounts together. */
  readonly owes: bigint;
  /** Token units that the contract holds. */
  readonly holds: bigint;
}

/** What the contract owes and holds of each token that it lists, at one height. */
export async function reservesAt(chain: Chain, custody: Address, height: Height): Promise<Reserve[]> {
  const views = new Views(chain, custody, height);
  return Promise.all(
    (await listedTokens(views)).map(async (token) => {
      const owes = await views.ask("liabilities", [BigInt(token.tokenId)]);
      return { token, owes, holds: await held(chain, token, custody, height) };
    }),
  );
}

/** All tokens that the contract lists. */
export async function listedTokens(views: Views): Promise<Listed[]> {
  const count = Number(await views.ask("token_count"));
  return Promise.all(Array.from({ length: count }, (_, tokenId) => listedToken(views, tokenId)));
}

async function listedToken(views: Views, tokenId: number): Promise<Listed> {
  const found = await views.ask<{ token: Address; unit: bigint; decimals: bigint }>("tokens", [
    BigInt(tokenId),
  ]);
  return { tokenId, address: found.token, unit: found.unit, decimals: Number(found.decimals) };
}

export interface SettledBatch {
  readonly prevHead: Hex;
  readonly newHead: Hex;
  readonly block: number;
}

/** What the chain has of a batch's transaction; null when it is not mined, or settles no batch of that number. */
export async function batchIn(
  chain: Chain,
  custody: Address,
  txHash: string,
  seq: number,
): Promise<SettledBatch | null> {
  const receipt = (await chain.ask("eth_getTransactionReceipt", [txHash])) as {
    blockNumber: Hex;
    logs: { address: string; topics: Hex[]; data: Hex }[];
  } | null;
  const log = receipt?.logs.find(
    (one) =>
      one.address.toLowerCase() === custody.toLowerCase() &&
      one.topics[0] === BATCH_SETTLED &&
      BigInt(one.topics[1] ?? "0x0") === BigInt(seq),
  );
  if (!receipt || !log) return null;
  return {
    prevHead: log.data.slice(0, 66) as Hex,
    newHead: `0x${log.data.slice(66, 130)}`,
    block: Number(receipt.blockNumber),
  };
}

/** The journal's head up to which trades are settled. */
export const journalHead = (chain: Chain, custody: Address): Promise<Hex> =>
  new Views(chain, custody).ask<Hex>("journal_head");

export interface Bond {
  readonly signer: Address;
  readonly wei: bigint;
  readonly slashed: boolean;
}

/** The bond behind the receipts: whose signatures can take it, and how much lies in it. */
export async function bondOf(chain: Chain, bond: Address): Promise<Bond> {
  const views = new Views(chain, bond);
  const [signer, wei, slashedAt] = await Promise.all([
    views.ask<Address>("signer"),
    views.ask("bond"),
    views.ask("slashed_at"),
  ]);
  return { signer, wei, slashed: slashedAt !== 0n };
}

export interface Request {
  readonly recipient: Address;
  readonly amount: bigint;
  readonly claimableAt: number;
  readonly lapsesAt: number;
}

export interface TokenOnChain {
  readonly token: Token;
  /** Ledger units. */
  readonly trading: bigint;
  readonly funding: bigint;
  readonly request: Request | null;
  /** Token units at the account's deposit address. */
  readonly lying: bigint;
}

export interface AccountOnChain {
  readonly block: number;
  /** The latest block's time, in seconds: the contract's clock. */
  readonly now: number;
  readonly exitAt: number;
  readonly frozen: boolean;
  /** From when anyone may end trading for ever, unless the operator shows that it lives. */
  readonly silentAt: number;
  readonly delay: number;
  readonly claimWindow: number;
  readonly refusedEth: bigint;
  /** Null when nobody says which contract makes them. */
  readonly depositAddress: Address | null;
  readonly tokens: readonly TokenOnChain[];
}

/** All that the contract has of one account, at the latest block. */
export async function accountOnChain(
  chain: Chain,
  places: { readonly custody: Address; readonly factory: Address | null },
  account: Address,
  tokens: readonly Token[],
): Promise<AccountOnChain> {
  const block = (await chain.ask("eth_getBlockByNumber", ["latest", false])) as {
    number: Hex;
    timestamp: Hex;
  };
  const views = new Views(chain, places.custody, Number(block.number));
  const depositAddress = places.factory && depositAddressOf(places.factory, account);
  const [state, windows, lastSeen, frozen, refusedEth, rows] = await Promise.all([
    views.ask<{ exit_at: bigint }>("account_state", [account]),
    views.ask<{ delay: bigint; claim_window: bigint; silence: bigint }>("windows"),
    views.ask("last_seen"),
    views.ask<boolean>("frozen"),
    views.ask("refused_eth", [account]),
    Promise.all(tokens.map((token) => tokenOnChain(chain, views, account, token, depositAddress))),
  ]);
  return {
    block: Number(block.number),
    now: Number(block.timestamp),
    exitAt: Number(state.exit_at),
    frozen,
    silentAt: Number(lastSeen + windows.silence) + 1,
    delay: Number(windows.delay),
    claimWindow: Number(windows.claim_window),
    refusedEth,
    depositAddress,
    tokens: rows,
  };
}

async function tokenOnChain(
  chain: Chain,
  views: Views,
  account: Address,
  token: Token,
  depositAddress: Address | null,
): Promise<TokenOnChain> {
  const args = [account, BigInt(token.token_id)];
  const [trading, funding, request, lying] = await Promise.all([
    views.ask("trading_balance", args),
    views.ask("funding_balance", args),
    views.ask<{ recipient: Address; amount: bigint; claimable_at: bigint; lapses_at: bigint }>(
      "withdrawal_request",
      args,
    ),
    depositAddress ? held(chain, token, depositAddress) : 0n,
  ]);
  const open =
    request.amount === 0n
      ? null
      : {
          recipient: request.recipient,
          amount: request.amount,
          claimableAt: Number(request.claimable_at),
          lapsesAt: Number(request.lapses_at),
        };
  return { token, trading, funding, request: open, lying };
}
