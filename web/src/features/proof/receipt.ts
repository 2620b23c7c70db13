/**
 * A receipt, verified by this page alone: the record and its path lead to a root, and the receipt key signed that root with
 * its place in the journal. The same as `exchange/domain/receipt.py`; docs/fairness.md says what it proves.
 */
import { concat, encodeAbiParameters, hashTypedData, keccak256, recoverAddress, toHex } from "viem/utils";
import { type Hex, TYPES, type TypedData } from "@/lib/chain/typedData";
import type { Key } from "@/lib/i18n";

const FIELDS = [
  "name",
  "chain_id",
  "bond",
  "first_seq",
  "last_seq",
  "head",
  "seq",
  "at_ms",
  "subject",
  "record_head",
];
const ALL_FIELDS = [...FIELDS, "path", "signature"];
const RECORD_TYPE = keccak256(toHex("JournalRecord(uint64 seq,uint64 at_ms,bytes32 subject,bytes32 head)"));
const GROUP_TYPE = keccak256(toHex("OrderGroup(bytes32 first,bytes32 second)"));
const COMMIT = [
  { name: "first_seq", type: "uint64" },
  { name: "last_seq", type: "uint64" },
  { name: "head", type: "bytes32" },
  { name: "root", type: "bytes32" },
] as const;
const MAX_HEIGHT = 32;
const HASH = /^0x[0-9a-f]{64}$/i;
const SIGNATURE = /^0x[0-9a-f]{130}$/i;
const ADDRESS = /^0x[0-9a-f]{40}$/i;

export interface Receipt {
  readonly name: string;
  readonly chain_id: number;
  readonly bond: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly head: string;
  readonly seq: number;
  readonly at_ms: number;
  readonly subject: string;
  readonly record_head: string;
  readonly path: readonly string[];
  readonly signature: string;
}

/** What a receipt is held against. */
export interface Expected {
  readonly name: string;
  readonly chainId: number;
  readonly bond: string;
  readonly signer: string;
  /** What the user signed, where it is known: an order's hash. */
  readonly subject?: string;
}

export interface Verdict {
  readonly good: boolean;
  /** What does not match, as texts and what they are filled with. */
  readonly faults: readonly { readonly text: Key; readonly params: Record<string, string | number> }[];
  readonly root: Hex | null;
  readonly signedBy: string | null;
}

type Fault = Verdict["faults"][number];

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();
const fault = (text: Key, params: Fault["params"] = {}): Fault => ({ text, params });

/** A receipt as it was given, or the first thing that is wrong with its form. */
export function readReceipt(text: string): Receipt | Fault {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return fault("receipt.no_json");
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) return fault("receipt.no_json");
  const outer = found as Record<string, unknown>;
  const inner = "receipt" in outer ? (outer.receipt as Record<string, unknown>) : outer;
  for (const field of ALL_FIELDS) if (!inner || !(field in inner)) return fault("receipt.missing", { field });
  return malformed(inner) ?? (inner as unknown as Receipt);
}

function malformed(found: Record<string, unknown>): Fault | null {
  const is = (pattern: RegExp) => (value: unknown) => typeof value === "string" && pattern.test(value);
  const whole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const rules: Record<string, (value: unknown) => boolean> = {
    name: (value) => typeof value === "string",
    chain_id: whole,
    bond: is(ADDRESS),
    first_seq: whole,
    last_seq: whole,
    head: is(HASH),
    seq: whole,
    at_ms: whole,
    subject: is(HASH),
    record_head: is(HASH),
    path: (value) => Array.isArray(value) && value.length <= MAX_HEIGHT && value.every(is(HASH)),
    signature: is(SIGNATURE),
  };
  const bad = Object.keys(rules).find((field) => !rules[field]?.(found[field]));
  return bad ? fault("receipt.malformed", { field: bad }) : null;
}

/** The hash of what a wallet signed: the subject of its receipt. */
export const hashOf = ({ domain, primaryType, message }: TypedData): Hex =>
  hashTypedData({ domain, primaryType, types: TYPES, message } as never);

/**
 * The subject of an order's receipt: its hash, or that of both legs of a group if it came as one of these. Anything but two
 * hashes of which one is the order's is no group, so that a receipt for it is of another message.
 */
export function subjectOf(order: Hex, legs: readonly string[]): Hex {
  const [first, second] = legs;
  if (!first || !second || legs.length !== 2 || same(first, second)) return order;
  if (!legs.every((leg) => HASH.test(leg)) || !legs.some((leg) => same(leg, order))) return order;
  return keccak256(concat([GROUP_TYPE, first as Hex, second as Hex]));
}

/** The leaf of the receipt's record. */
function recordHash(receipt: Receipt): Hex {
  const types = [
    { type: "bytes32" },
    { type: "uint256" },
    { type: "uint256" },
    { type: "bytes32" },
    { type: "bytes32" },
  ];
  const values = [
    RECORD_TYPE,
    BigInt(receipt.seq),
    BigInt(receipt.at_ms),
    receipt.subject,
    receipt.record_head,
  ];
  return keccak256(encodeAbiParameters(types, values));
}

/** The root that record and path lead to. */
export function rootOf(receipt: Receipt): Hex {
  let index = BigInt(receipt.seq - receipt.first_seq);
  let node = recordHash(receipt);
  for (const beside of receipt.path as readonly Hex[]) {
    node = keccak256(concat(index & 1n ? [beside, node] : [node, beside]));
    index >>= 1n;
  }
  return node;
}

/** Everything that does not match, or nothing: then the receipt is what it says. */
export async function verify(receipt: Receipt, expected: Expected): Promise<Verdict> {
  const faults = misplaced(receipt, expected);
  const height = (receipt.last_seq - receipt.first_seq).toString(2).replace(/^0$/, "").length;
  if (!(receipt.first_seq > 0 && receipt.first_seq <= receipt.seq && receipt.seq <= receipt.last_seq)) {
    const { seq, first_seq: first, last_seq: last } = receipt;
    faults.push(fault("receipt.out_of_range", { seq, first, last }));
    return { good: false, faults, root: null, signedBy: null };
  }
  if (receipt.path.length !== height)
    faults.push(fault("receipt.path_length", { found: receipt.path.length, needed: height }));
  if (receipt.seq === receipt.last_seq && !same(receipt.record_head, receipt.head))
    faults.push(fault("receipt.heads_differ"));
  const root = rootOf(receipt);
  const signedBy = await signerOf(receipt, root);
  if (!signedBy || !same(signedBy, expected.signer))
    faults.push(
      fault(signedBy ? "receipt.other_signer" : "receipt.no_signer", {
        found: signedBy ?? "",
        expected: expected.signer,
      }),
    );
  return { good: faults.length === 0, faults, root, signedBy };
}

/** What shows without any cryptography: it speaks of another exchange, or of another message. */
function misplaced(receipt: Receipt, expected: Expected): Fault[] {
  const faults: Fault[] = [];
  if (receipt.name !== expected.name)
    faults.push(fault("receipt.other_name", { found: receipt.name, expected: expected.name }));
  if (receipt.chain_id !== expected.chainId)
    faults.push(
      fault("receipt.other_chain", { found: `${receipt.chain_id}`, expected: `${expected.chainId}` }),
    );
  if (!same(receipt.bond, expected.bond))
    faults.push(fault("receipt.other_bond", { found: receipt.bond, expected: expected.bond }));
  if (expected.subject && !same(receipt.subject, expected.subject))
    faults.push(fault("receipt.other_subject", { found: receipt.subject, expected: expected.subject }));
  return faults;
}

async function signerOf(receipt: Receipt, root: Hex): Promise<string | null> {
  const hash = hashTypedData({
    domain: {
      name: receipt.name,
      version: "1",
      chainId: receipt.chain_id,
      verifyingContract: receipt.bond.toLowerCase() as Hex,
    },
    primaryType: "JournalCommit",
    types: { JournalCommit: COMMIT },
    message: {
      first_seq: BigInt(receipt.first_seq),
      last_seq: BigInt(receipt.last_seq),
      head: receipt.head as Hex,
      root,
    },
  });
  return recoverAddress({ hash, signature: receipt.signature as Hex }).catch(() => null);
}
