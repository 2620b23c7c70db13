/**
 * What users sign: the EIP-712 types, as `exchange/domain/eip712.py` has them. They stand here, and are not taken from the
 * API's answer, so that what a wallet is asked to sign does not depend on what a server says.
 */
import type { Exchange } from "@/lib/api/types";

export const TYPES = {
  Order: [
    { name: "account", type: "address" },
    { name: "market", type: "uint32" },
    { name: "side", type: "uint8" },
    { name: "price", type: "uint64" },
    { name: "quantity", type: "uint64" },
    { name: "nonce", type: "uint64" },
    { name: "expiry", type: "uint64" },
    { name: "trigger_price", type: "uint64" },
    { name: "max_fee_bps", type: "uint16" },
    { name: "terms", type: "uint128" },
  ],
  BulkOrder: [{ name: "tree", type: "Order[2]" }],
  Cancel: [
    { name: "account", type: "address" },
    { name: "nonce", type: "uint64" },
  ],
  CancelAll: [
    { name: "account", type: "address" },
    { name: "min_nonce", type: "uint64" },
  ],
  MassCancel: [
    { name: "account", type: "address" },
    { name: "market", type: "uint32" },
    { name: "side", type: "uint8" },
    { name: "nonce", type: "uint64" },
  ],
  Countdown: [
    { name: "account", type: "address" },
    { name: "seconds", type: "uint32" },
    { name: "nonce", type: "uint64" },
  ],
  TradingStop: [
    { name: "account", type: "address" },
    { name: "stopped", type: "uint8" },
    { name: "nonce", type: "uint64" },
  ],
  Withdrawal: [
    { name: "account", type: "address" },
    { name: "token", type: "address" },
    { name: "amount", type: "uint256" },
    { name: "recipient", type: "address" },
    { name: "max_fee", type: "uint256" },
    { name: "nonce", type: "uint64" },
    { name: "deadline", type: "uint64" },
  ],
  FundingTransfer: [
    { name: "account", type: "address" },
    { name: "token", type: "address" },
    { name: "amount", type: "uint256" },
    { name: "max_fee", type: "uint256" },
    { name: "nonce", type: "uint64" },
    { name: "deadline", type: "uint64" },
  ],
  Delegation: [
    { name: "account", type: "address" },
    { name: "delegate", type: "address" },
    { name: "markets", type: "uint256" },
    { name: "expiry", type: "uint64" },
    { name: "nonce", type: "uint64" },
  ],
  Revocation: [
    { name: "account", type: "address" },
    { name: "delegate", type: "address" },
    { name: "nonce", type: "uint64" },
  ],
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
} as const;

export type TypeName = keyof typeof TYPES;
export type Fields = Readonly<Record<string, string | bigint>>;
/** A field, or the two orders of a tree. */
export type Value = string | bigint | readonly Fields[];
export type Address = `0x${string}`;
export type Hex = `0x${string}`;

export interface Domain {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Address;
}

export interface TypedData {
  readonly domain: Domain;
  readonly primaryType: TypeName;
  readonly message: Readonly<Record<string, Value>>;
}

/** The domain of everything that is signed for this exchange. */
export function domainOf(exchange: Exchange): Domain {
  return { ...exchange.domain, verifyingContract: exchange.domain.verifyingContract as Address };
}

const DOMAIN_TYPE = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];

/** The type of what is signed, with those that it is made of. */
export const typesOf = (primaryType: TypeName) => ({
  [primaryType]: TYPES[primaryType],
  ...(primaryType === "BulkOrder" ? { Order: TYPES.Order } : {}),
});

const asText = (fields: TypedData["message"]): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "object" ? value.map(asText) : `${value}`,
    ]),
  );

/** The JSON that `eth_signTypedData_v4` takes; integers as decimal text, so that no wallet rounds them. */
export function walletJson(data: TypedData): string {
  return JSON.stringify({
    domain: data.domain,
    primaryType: data.primaryType,
    types: { EIP712Domain: DOMAIN_TYPE, ...typesOf(data.primaryType) },
    message: asText(data.message),
  });
}
