/** The calls of the custody contract that need nobody's consent, each also as the line of `cast` that does the same. */
import { parseAbi } from "viem/utils";
import { type PlainCall, plainCall } from "./plainCall";
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

export type { PlainCall };

/** `name` of the contract at `to`. Amounts are in the token's smallest units. */
export function leavingCall(
  to: Address,
  functionName: Name,
  args: readonly (Address | bigint)[] = [],
): PlainCall {
  return plainCall(LEAVING, to, functionName, args);
}
