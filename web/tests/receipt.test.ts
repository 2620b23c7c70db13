import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import {
  type Expected,
  type Receipt,
  readReceipt,
  rootOf,
  subjectOf,
  verify,
} from "@/features/proof/receipt";

const BOND = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const SIGNER = privateKeyToAccount(`0x${"1".repeat(64)}`);
const EXPECTED: Expected = { name: "Bizzan", chainId: 31_337, bond: BOND, signer: SIGNER.address };
const hash = (digit: string) => `0x${digit.repeat(64)}` as const;

/** Record 6 of the range 5 to 7, signed. */
async function made(changes: Partial<Receipt> = {}): Promise<Receipt> {
  const plain: Receipt = {
    name: "Bizzan",
    chain_id: 31_337,
    bond: BOND,
    first_seq: 5,
    last_seq: 7,
    head: hash("a"),
    seq: 6,
    at_ms: 1_700_000_000_123,
    subject: hash("b"),
    record_head: hash("c"),
    path: [hash("d"), hash("e")],
    signature: "",
    ...changes,
  };
  const signature = await SIGNER.signTypedData({
    domain: { name: "Bizzan", version: "1", chainId: 31_337, verifyingContract: BOND },
    primaryType: "JournalCommit",
    types: {
      JournalCommit: [
        { name: "first_seq", type: "uint64" },
        { name: "last_seq", type: "uint64" },
        { name: "head", type: "bytes32" },
        { name: "root", type: "bytes32" },
      ],
    },
    message: {
      first_seq: BigInt(plain.first_seq),
      last_seq: BigInt(plain.last_seq),
      head: plain.head as `0x${string}`,
      root: rootOf(plain),
    },
  });
  return { ...plain, signature };
}

const faultsOf = async (receipt: Receipt, expected = EXPECTED) =>
  (await verify(receipt, expected)).faults.map((one) => one.text);

describe("a receipt", () => {
  it("leads to the root by its place, as the exchange's own code has it", async () => {
    // exchange/domain/receipt.py, for the receipt above
    expect(rootOf(await made())).toBe("0x7bf635c740294f93c9fd0edf9677dd918884fb5f3c41e95cde29d7656945f064");
  });

  it("is of both legs that came together, and of an order by itself otherwise", () => {
    // exchange.domain.receipt.group_subject
    const both = "0x50cf10f2c0bdffb81cae95c04f572310f70d3b9c045769b0b0f20e8adf64a305";
    expect(subjectOf(hash("b"), [hash("a"), hash("b")])).toBe(both);
    expect(subjectOf(hash("c"), [hash("a"), hash("b")])).toBe(hash("c"));
    expect(subjectOf(hash("c"), [])).toBe(hash("c"));
  });

  it.each([
    ["three", [hash("a"), hash("b"), hash("c")]],
    ["one", [hash("b")]],
    ["twice the same", [hash("b"), hash("b")]],
    ["what is no hash", [`${hash("a")}00`, hash("b")]],
  ])("is of an order by itself where the exchange names %s as its legs", (_, legs) => {
    expect(subjectOf(hash("b"), legs)).toBe(hash("b"));
  });

  it("is good as it was signed, also read from text", async () => {
    const receipt = await made();
    expect(await verify(receipt, { ...EXPECTED, subject: hash("b") })).toMatchObject({
      good: true,
      faults: [],
    });
    expect(readReceipt(JSON.stringify(receipt))).toEqual(receipt);
    expect(readReceipt(JSON.stringify({ order_id: 1, receipt }))).toEqual(receipt);
  });

  it("is not good when any field was changed", async () => {
    const receipt = await made();
    const changes: Partial<Receipt>[] = [
      { head: hash("0") },
      { seq: 5 },
      { at_ms: receipt.at_ms + 1 },
      { subject: hash("1") },
      { record_head: hash("2") },
      { path: [hash("e"), hash("d")] },
      { first_seq: 4 },
      { signature: `0x${"3".repeat(128)}1b` },
    ];
    for (const change of changes) {
      const verdict = await verify({ ...receipt, ...change }, EXPECTED);
      expect(verdict.good, JSON.stringify(change)).toBe(false);
    }
    expect(await faultsOf({ ...receipt, at_ms: 1 })).toEqual(["receipt.other_signer"]);
  });

  it("says what it is for, when it is for something else", async () => {
    const receipt = await made();
    expect(await faultsOf(receipt, { ...EXPECTED, subject: hash("9") })).toEqual(["receipt.other_subject"]);
    expect(await faultsOf(receipt, { ...EXPECTED, signer: BOND })).toEqual(["receipt.other_signer"]);
    expect(await faultsOf({ ...receipt, chain_id: 1 })).toContain("receipt.other_chain");
    expect(await faultsOf({ ...receipt, seq: 8 })).toEqual(["receipt.out_of_range"]);
    expect(await faultsOf({ ...receipt, path: [] })).toContain("receipt.path_length");
    expect(await faultsOf(await made({ seq: 7 }))).toEqual(["receipt.heads_differ"]);
  });

  it("must have its form", () => {
    expect(readReceipt("nonsense")).toMatchObject({ text: "receipt.no_json" });
    expect(readReceipt("{}")).toMatchObject({ text: "receipt.missing", params: { field: "name" } });
    expect(readReceipt(JSON.stringify({ receipt: null }))).toMatchObject({ text: "receipt.missing" });
  });
});
