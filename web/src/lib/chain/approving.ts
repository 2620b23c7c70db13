/**
 * A withdrawal that waits for approvals, held against its own hash and signature and against the contract's tokens: the
 * exchange's word counts for nothing.
 */
import {
  concatHex,
  getAddress,
  hashTypedData,
  numberToHex,
  parseAbi,
  recoverAddress,
  size,
} from "viem/utils";
import type { Token } from "@/lib/api/types";
import { type PlainCall, plainCall } from "./plainCall";
import type { Chain } from "./rpc";
import { type Address, type Domain, type Hex, TYPES } from "./typedData";

const ZERO: Address = "0x0000000000000000000000000000000000000000";
const APPROVING = parseAbi([
  "function approve_withdrawal(address account, address token, uint256 amount, address recipient, uint256 max_fee, uint256 nonce, uint256 deadline, address approver, bytes signature)",
]);

/** The most ledger units that custody counts. */
const MAX_AMOUNT = (1n << 63n) - 1n;

export interface SignedMessage {
  readonly withdrawal_hash: string;
  readonly message: Readonly<Record<string, string>>;
  readonly signature: string;
}

/** What the exchange says beside the message. */
export interface Said extends SignedMessage {
  readonly account: string;
  readonly asset_id: number;
  /** Ledger units. */
  readonly amount: string;
  readonly deadline: number;
}

/** `key`: the account's key signed it. `code`: the contract at the account says so. Every other one cannot be approved. */
export type Verdict =
  | "key"
  | "code"
  | "other_hash"
  | "unsigned"
  | "no_recipient"
  | "unlisted"
  | "odd_amount"
  | "other_row"
  | "unasked";

export interface Judged<Row extends Said = Said> {
  readonly row: Row;
  readonly verdict: Verdict;
  /** The message's token as the contract lists it. */
  readonly token: Token | null;
}

/** Each row with what came out. `tokens` are the contract's own; without them, or without a chain, no row is good. */
export function judgeAll<Row extends Said>(
  chain: Chain | null,
  domain: Domain,
  tokens: readonly Token[] | null,
  rows: readonly Row[],
): Promise<Judged<Row>[]> {
  return Promise.all(
    rows.map(async (row) => {
      const token = tokens?.find((one) => isSame(one.address, row.message.token)) ?? null;
      return { row, token, verdict: await verdictOf(chain, domain, tokens && { token }, row) };
    }),
  );
}

async function verdictOf(
  chain: Chain | null,
  domain: Domain,
  listed: { readonly token: Token | null } | null,
  row: Said,
): Promise<Verdict> {
  const { message } = row;
  const hash = hashOf(domain, message);
  if (hash === null || hash !== row.withdrawal_hash.toLowerCase()) return "other_hash";
  if (isSame(message.recipient, ZERO)) return "no_recipient";
  if (!listed) return "unasked";
  if (!listed.token) return "unlisted";
  const [amount, unit] = [BigInt(message.amount ?? ""), BigInt(listed.token.unit)];
  if (amount % unit || amount / unit > MAX_AMOUNT) return "odd_amount";
  if (!saysTheSame(row, listed.token, amount / unit)) return "other_row";
  const account = getAddress(message.account as Address);
  const signer = await recoverAddress({ hash, signature: row.signature as Hex }).catch(() => null);
  if (signer === account) return "key";
  if (!chain) return "unasked";
  const says = await codeSays(chain, account, hash, row.signature as Hex).catch(() => null);
  return says === null ? "unasked" : says ? "code" : "unsigned";
}

/** The message's hash; null when it is no message at all. */
function hashOf(domain: Domain, message: Said["message"]): Hex | null {
  const primaryType = "recipient" in message ? "Withdrawal" : "FundingTransfer";
  try {
    return hashTypedData({ domain, types: TYPES, primaryType, message } as never);
  } catch {
    return null;
  }
}

const saysTheSame = (row: Said, token: Token, amount: bigint): boolean =>
  isSame(row.account, row.message.account) &&
  row.asset_id === token.asset_id &&
  row.amount === `${amount}` &&
  `${row.deadline}` === row.message.deadline;

const isSame = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && a.toLowerCase() === b?.toLowerCase();

// EIP-1271, asked as `exchange/chain/wallets.py` and the contract ask

const MAX_SIGNATURE = 1_024;
const WALLET_GAS = 500_000;
const CALL_GAS: Hex = "0xaae60";
const ASK = "0x1626ba7e";

/** Whether the code at `account` takes the signature. */
async function codeSays(chain: Chain, account: Address, hash: Hex, signature: Hex): Promise<boolean> {
  const length = /^0x([0-9a-f]{2})+$/i.test(signature) ? size(signature) : 0;
  if (!length || length > MAX_SIGNATURE) return false;
  const call = { data: question(account, hash, signature), gas: CALL_GAS };
  return BigInt((await chain.ask("eth_call", [call, "latest"])) as string) === 1n;
}

/** Code that asks the account by a static call and returns one word: 1 for the magic value in a whole word. */
export function question(account: Address, hash: Hex, signature: Hex): Hex {
  const word = (value: number) => numberToHex(value, { size: 32 });
  const length = size(signature);
  const padding = "0".repeat(2 * ((32 - (length % 32)) % 32));
  const data = concatHex([ASK, hash, word(64), word(length), `${signature}${padding}`]);
  const push = concatHex(["0x61", numberToHex(size(data), { size: 2 })]);
  const code = concatHex([
    "0x5f39", // CODECOPY to 0 of the data, whose size and place were pushed
    concatHex(["0x60205f", push, "0x5f73", account]), // the word of the answer overwrites the question
    concatHex(["0x62", numberToHex(WALLET_GAS, { size: 3 }), "0xfa"]), // STATICCALL
    "0x3d601f1016", // it succeeded, with a whole word
    concatHex(["0x5f5163", ASK, "0x60e01b1416"]), // and that is the magic value
    "0x5f5260205ff3",
  ]);
  const place = numberToHex(size(push) + 2 + size(code), { size: 1 });
  return concatHex([push, "0x60", place, code, data]);
}

/** The call by which an approver lets this withdrawal go, of the message's own fields. */
export function approvalCall(custody: Address, row: SignedMessage, approver: Address): PlainCall {
  const { account, token, amount, recipient, max_fee, nonce, deadline } = row.message;
  const number = (text: string | undefined) => BigInt(text ?? "0");
  return plainCall(APPROVING, custody, "approve_withdrawal", [
    account as Address,
    token as Address,
    number(amount),
    (recipient ?? ZERO) as Address,
    number(max_fee),
    number(nonce),
    number(deadline),
    approver,
    "0x",
  ]);
}
