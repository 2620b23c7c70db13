/** Who signs for an account: a wallet of the browser's, or a key that the page keeps. */
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
  /** Send a transaction; the answer is its hash, before it is mined. */
  send(call: Call): Promise<Hex>;
}

/** The user said no in the wallet. Nothing happened. */
export class Rejected extends Error {
  constructor() {
    super("rejected in the wallet");
    this.name = "Rejected";
  }
}
