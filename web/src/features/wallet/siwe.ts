/** Sign in with Ethereum (EIP-4361): the text that opens a session for private reads. It moves no money. */
import type { NonceAnswer } from "@/lib/api/types";
import type { Address } from "@/lib/chain/typedData";

const VALID_MS = 300_000;

/** What the message is for, in the words that the wallet shows; `backend/auth/service.py` has the console's. */
const STATEMENTS = {
  account: () => "Sign in to read your account. This moves no money.",
  console: (minutes: number) =>
    `Open the operator's console for ${minutes} minutes. An operator's session halts and opens markets, sets bounds, fees and tiers, stops accounts, reviews cases and announces, each logged under this address; any other role's only reads. It moves no money and signs no transaction.`,
} as const;

const seconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** The message; `now` is the exchange's time. */
export function signInText(
  address: Address,
  nonce: NonceAnswer,
  scheme: string,
  now: number,
  purpose: keyof typeof STATEMENTS = "account",
): string {
  return [
    `${nonce.domain} wants you to sign in with your Ethereum account:`,
    address,
    "",
    STATEMENTS[purpose](nonce.console_minutes),
    "",
    `URI: ${scheme}//${nonce.domain}`,
    "Version: 1",
    `Chain ID: ${nonce.chain_id}`,
    `Nonce: ${nonce.nonce}`,
    `Issued At: ${seconds(now)}`,
    `Expiration Time: ${seconds(now + VALID_MS)}`,
  ].join("\n");
}
