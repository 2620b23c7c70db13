/** The calls of the custody contract that need nobody's consent, each also as the line of `cast` that does the same. */
import { encodeFunctionData, parseAbi } from "viem/utils";
import type { Call } from "./signer";
import type { Address } from "./typedData";

const LEAVING = parseAbi([
  "function request_exit()",
  "function cancel_exit()",
  "function claim_exit(address account, address token)",
  "function request_withdraw(address token, uint256 amount, address recipient)",
  "function cancel_withdraw_request(address token)",
  "function claim_withdraw(address account, address token)",
  "function withdraw_funding(address token, uint256 amount, address recipient)",
  "function move_to_trading(address token, uint256 amount)",
  "function freeze()",
  "function claim_eth(address recipient)",
  "function recover(address token, address recipient)",
]);

type Name = (typeof LEAVING)[number]["name"];

/** A call, and how it is made without this page. */
export interface PlainCall extends Call {
  readonly command: string;
}

/** `name` of the contract at `to`. Amounts are in the token's smallest units. */
export function leavingCall(
  to: Address,
  functionName: Name,
  args: readonly (Address | bigint)[] = [],
): PlainCall {
  const inputs = LEAVING.find((one) => one.name === functionName)?.inputs ?? [];
  const signature = `${functionName}(${inputs.map((input) => input.type).join(",")})`;
  return {
    to,
    data: encodeFunctionData({ abi: LEAVING, functionName, args } as never),
    command: ["cast send", to, `"${signature}"`, ...args.map(String), '--private-key "$KEY"'].join(" "),
  };
}
