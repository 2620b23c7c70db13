/** A call of a contract, also as the line of `cast` that does the same. */
import type { Abi } from "viem";
import { encodeFunctionData, toFunctionSignature } from "viem/utils";
import type { Call } from "./signer";
import type { Address } from "./typedData";

/** A call, and how it is made without this page. */
export interface PlainCall extends Call {
  readonly command: string;
  /** The function with the types of its arguments: `pause(uint256)`. */
  readonly signature: string;
  readonly args: readonly string[];
}

export type Argument = Address | bigint | boolean;

/** `functionName` of the contract at `to`. */
export function plainCall(abi: Abi, to: Address, functionName: string, args: readonly Argument[]): PlainCall {
  const found = abi.find((one) => one.type === "function" && one.name === functionName);
  if (found?.type !== "function") throw new Error(`the contract has no function ${functionName}`);
  const signature = toFunctionSignature(found);
  const written = args.map(String);
  return {
    to,
    data: encodeFunctionData({ abi, functionName, args }),
    signature,
    args: written,
    command: ["cast send", to, `"${signature}"`, ...written, '--private-key "$KEY"'].join(" "),
  };
}
