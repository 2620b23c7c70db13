/** When a badge of the proof page may be green. */
import type { Token } from "@/lib/api/types";
import type { Bond, Listed, Reserve } from "@/lib/chain/ledger";
import type { Verdict } from "./receipt";

/** The exchange's books must be of a block so near to the node's own latest one. */
const NEAR_BLOCKS = 20;

/** The block to compare at: the books' own if it is near the head, else the head, and nothing is compared. */
export function comparedBlock(books: number | null, head: number): { block: number; old: boolean } {
  if (books === null) return { block: head, old: false };
  const near = books <= head && head - books <= NEAR_BLOCKS;
  return { block: near ? books : head, old: !near };
}

export type Standing = "unknown" | "misnamed" | "short" | "differs" | "covered";

interface Compared {
  /** The token as the exchange names it. */
  readonly token: Token;
  /** What the contract says; undefined when nobody could be asked. */
  readonly chain: Reserve | undefined;
  /** By the exchange's books at the same block; null when there is none to compare. */
  readonly sum: bigint | null;
  /** The exchange's books are of a block too far from the chain's head. */
  readonly old: boolean;
}

/** How a token stands, by the contract's own unit and address of it. */
export function standingOf({ token, chain, sum, old }: Compared): Standing {
  if (!chain) return "unknown";
  if (!sameToken(token, chain.token)) return "misnamed";
  if (chain.holds < chain.owes * chain.token.unit) return "short";
  if (sum !== null && sum !== chain.owes) return "differs";
  return old ? "unknown" : "covered";
}

const sameToken = (token: Token, listed: Listed): boolean =>
  token.token_id === listed.tokenId &&
  token.address.toLowerCase() === listed.address.toLowerCase() &&
  BigInt(token.unit) === listed.unit &&
  token.decimals === listed.decimals;

/** Whether the chain holds money against what a key signs. */
export const isBonded = (bond: Bond | null, signer: string): boolean =>
  bond !== null && bond.signer.toLowerCase() === signer.toLowerCase() && bond.wei > 0n && !bond.slashed;

export type ReceiptStanding = "good" | "bad" | "alone";

/** A receipt that matches is good only with a bond behind its key; else the key is what the exchange says it is. */
export function receiptStanding(verdict: Verdict, bonded: boolean): ReceiptStanding {
  if (!verdict.good) return "bad";
  return bonded ? "good" : "alone";
}
