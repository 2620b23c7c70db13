/** A withdrawal that waits for approvals, held against its own hash and signature: the page's word counts for nothing. */
import { getAddress, hashTypedData, parseAbi, recoverAddress } from "viem/utils";
import { type PlainCall, plainCall } from "./plainCall";
import { type Address, type Domain, type Hex, TYPES } from "./typedData";

const ZERO: Address = "0x0000000000000000000000000000000000000000";
const APPROVING = parseAbi([
  "function approve_withdrawal(address account, address token, uint256 amount, address recipient, uint256 max_fee, uint256 nonce, uint256 deadline, address approver, bytes signature)",
]);

export interface SignedMessage {
  readonly withdrawal_hash: string;
  readonly message: Readonly<Record<string, string>>;
  readonly signature: string;
}

/** `key`: the account's key signed it. `code`: another did, so only a contract at the account can stand by it. */
export type Verdict = "key" | "code" | "other_hash" | "no_recipient";

/** Whether the message is the one with this hash, and who signed it. */
export async function judge(domain: Domain, row: SignedMessage): Promise<Verdict> {
  const { message } = row;
  const primaryType = "recipient" in message ? "Withdrawal" : "FundingTransfer";
  const hash = hashTypedData({ domain, types: TYPES, primaryType, message } as never);
  if (hash !== row.withdrawal_hash.toLowerCase()) return "other_hash";
  if (message.recipient?.toLowerCase() === ZERO) return "no_recipient";
  const signer = await recoverAddress({ hash, signature: row.signature as Hex }).catch(() => null);
  return signer !== null && signer === getAddress(message.account as Address) ? "key" : "code";
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
