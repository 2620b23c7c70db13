/** What came and went, in one list; and what was seen on chain and is there no more, because the chain took it back. */
import type { Deposit, DepositPage, Paid, Withdrawal, WithdrawalPage } from "@/lib/api/types";
import type { Key } from "@/lib/i18n";
import { keep, recall } from "@/lib/storage";

export interface Entry {
  readonly id: string;
  readonly what: Key;
  /** Money that comes, goes, or moves within the account. */
  readonly way: "in" | "out" | "within";
  readonly tokenId: number | null;
  readonly assetId: number | null;
  /** Ledger units. */
  readonly amount: bigint;
  readonly status: Key;
  readonly params: Readonly<Record<string, string | number>>;
  readonly tone: "good" | "bad" | "warn" | "plain";
  readonly block: number | null;
  readonly txHash: string | null;
}

const WAITS = new Set(["needs_approvals", "given_up", "gas_budget", "wallet_rests", "unsigned"]);

function ofDeposit(row: Deposit): Entry {
  const moved = row.kind === "moved_to_trading";
  return {
    id: `${row.tx_hash}-${row.log_index}`,
    what: moved ? "history.moved_to_trading" : row.to_funding ? "history.deposit_funding" : "history.deposit",
    way: moved ? "within" : "in",
    tokenId: row.token_id,
    assetId: row.asset_id,
    amount: BigInt(row.amount),
    status: `history.${row.status}` as Key,
    params: { number: row.confirmations },
    tone: row.status === "confirming" ? "warn" : "good",
    block: row.block_number,
    txHash: row.tx_hash,
  };
}

function ofWithdrawal(row: Withdrawal): Entry {
  const waits = row.status === "held" && row.waits_because && WAITS.has(row.waits_because);
  const status = waits
    ? `history.${row.waits_because}`
    : row.status === "held" && row.block_number !== null
      ? "history.mined"
      : `history.${row.status}`;
  return {
    id: row.withdrawal_hash,
    what: `history.${row.kind}` as Key,
    way: row.kind === "withdrawal" ? "out" : "within",
    tokenId: null,
    assetId: row.asset_id,
    amount: BigInt(row.amount),
    status: status as Key,
    params: { given: row.approvals.given, needed: row.approvals.needed },
    tone: row.status === "consumed" ? "good" : row.status === "released" ? "plain" : "warn",
    block: row.block_number,
    txHash: row.tx_hash,
  };
}

function ofPaid(row: Paid): Entry {
  return {
    id: `${row.tx_hash}-${row.kind}-${row.token_id}`,
    what: "history.paid",
    way: "out",
    tokenId: row.token_id,
    assetId: null,
    amount: BigInt(row.amount) + BigInt(row.funding_amount),
    status: "history.paid_done",
    params: {},
    tone: "good",
    block: row.block_number,
    txHash: row.tx_hash,
  };
}

/** All of both pages: what is on its way first, then the latest block first. */
export function entriesOf(deposits: DepositPage, withdrawals: WithdrawalPage): Entry[] {
  const forced = withdrawals.forced_requests.map(
    (row): Entry => ({
      id: `${row.tx_hash}-forced-${row.token_id}`,
      what: "history.forced",
      way: "out",
      tokenId: row.token_id,
      assetId: null,
      amount: BigInt(row.amount),
      status: "history.asked",
      params: {},
      tone: "warn",
      block: row.block_number,
      txHash: row.tx_hash,
    }),
  );
  return inOrder([
    ...deposits.deposits.map(ofDeposit),
    ...withdrawals.withdrawals.map(ofWithdrawal),
    ...forced,
    ...withdrawals.other_payments.map(ofPaid),
  ]);
}

const inOrder = (entries: Entry[]): Entry[] =>
  entries.sort((a, b) => (b.block ?? Number.MAX_SAFE_INTEGER) - (a.block ?? Number.MAX_SAFE_INTEGER));

/** Deposits that were on chain in the last answer and could still be taken back, and those that were; of one account. */
interface Seen {
  readonly account: string;
  deposits: Map<string, Entry>;
  readonly gone: Map<string, Entry>;
}

let seen: Seen = { account: "", deposits: new Map(), gone: new Map() };

const SEEN = "seen_deposits";
const MOST_GONE = 50;
type Kept = Record<"deposits" | "gone", readonly (Omit<Entry, "amount"> & { amount: string })[]>;

/** What this browser saw before it was closed or loaded anew. */
function recalled(account: string): Seen {
  const kept = recall<Kept>(`${SEEN}.${account.toLowerCase()}`);
  const map = (name: keyof Kept) =>
    new Map((kept?.[name] ?? []).map((entry) => [entry.id, { ...entry, amount: BigInt(entry.amount) }]));
  return { account, deposits: map("deposits"), gone: map("gone") };
}

let written = "";

function keepSeen(): void {
  const list = (entries: Map<string, Entry>) =>
    [...entries.values()].slice(-MOST_GONE).map((entry) => ({ ...entry, amount: `${entry.amount}` }));
  const kept: Kept = { deposits: list(seen.deposits), gone: list(seen.gone) };
  const text = JSON.stringify([seen.account, kept]);
  if (text === written) return;
  written = text;
  keep(`${SEEN}.${seen.account.toLowerCase()}`, kept);
}

/** The entries, with deposits that were shown before and have left the chain in a reorganisation. */
export function remember(account: string, deposits: DepositPage, withdrawals: WithdrawalPage): Entry[] {
  if (seen.account !== account) seen = recalled(account);
  const entries = entriesOf(deposits, withdrawals);
  const now = new Set(entries.map((entry) => entry.id));
  for (const [id, entry] of seen.deposits)
    if (!now.has(id)) seen.gone.set(id, { ...entry, status: "history.gone", tone: "bad" });
  for (const id of now) seen.gone.delete(id);
  const reversible = deposits.deposits.filter((row) => row.block_number > deposits.finalized_block);
  seen.deposits = new Map(reversible.map(ofDeposit).map((entry) => [entry.id, entry]));
  keepSeen();
  return inOrder([...entries, ...seen.gone.values()]);
}

/** One line for each entry, as other programs read it: amounts with a point, nothing grouped. */
export function csvOf(
  entries: readonly Entry[],
  nameOf: (entry: Entry) => { symbol: string; text: string },
  word: (key: Key) => string,
): string {
  const quoted = (value: string) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = entries.map((entry) => {
    const { symbol, text } = nameOf(entry);
    const fields = [
      word(entry.what),
      symbol,
      text,
      word(entry.status),
      `${entry.block ?? ""}`,
      entry.txHash ?? "",
    ];
    return fields.map(quoted).join(",");
  });
  return ["what,asset,amount,status,block,transaction", ...lines, ""].join("\r\n");
}
