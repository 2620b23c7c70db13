/** Who signs for an account: a wallet of the browser's, or a key that the page keeps. */
import { t } from "@/lib/i18n";
import type { Address, Hex, TypedData } from "./typedData";

export interface Call {
  readonly to: Address;
  readonly data: Hex;
  /** Wei. */
  readonly value?: bigint;
}

export interface Signer {
  readonly address: Address;
  /** Whether each signature asks the user, in a window of the wallet's. */
  readonly asks: boolean;
  signTypedData(data: TypedData): Promise<Hex>;
  signText(text: string): Promise<Hex>;
  /** Send a transaction on this chain and on no other; the answer is its hash, before it is mined. */
  send(call: Call, chainId: number): Promise<Hex>;
}

/** The user said no in the wallet. Nothing happened. */
export class Rejected extends Error {
  constructor() {
    super("rejected in the wallet");
    this.name = "Rejected";
  }
}

/** Throws unless a wallet or a node is on the chain that is meant: elsewhere the same call may do something else. */
export function mustBeOn(chainId: number, found: number): void {
  if (found !== chainId) throw new Error(t("banner.wrong_chain", { chain: `${chainId}` }));
}
