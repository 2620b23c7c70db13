import { hashTypedData } from "viem/utils";
import { expect, test } from "vitest";
import { keySigner, structHashOf } from "@/lib/chain/keys";
import { type Fields, type TypedData, typesOf, walletJson } from "@/lib/chain/typedData";

const KEY = `0x${"11".repeat(32)}` as const;
const order = (nonce: bigint): Fields => ({
  account: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  market: 1n,
  side: 1n,
  price: 1_000_000n,
  quantity: 10n,
  nonce,
  expiry: 1_800_000_000n,
  trigger_price: 0n,
  max_fee_bps: 10n,
  terms: 7n << 96n,
});
const data: TypedData = {
  domain: {
    name: "Bizzan",
    version: "1",
    chainId: 31_337,
    verifyingContract: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
  },
  primaryType: "BulkOrder",
  message: { tree: [order(1n), order(2n)] },
};

// the same as `Tree` of exchange/domain/bulk.py says of these two orders
const LEFT = "0xe2e0da1f2ba99af2f8c9d0472695d6f96acc9df8623bc2c0d6ae61e302456508";
const RIGHT = "0x2699bea0f4a51b9649a438138d59d3d79f7a51635812831373cd210482a88e14";
const DIGEST = "0x40d794f0bf66230bd4376b49bcf9328d57284ade656158fc21973258adf58459";

test("two orders hash to what the exchange and the contract make of them", () => {
  expect([order(1n), order(2n)].map(structHashOf)).toEqual([LEFT, RIGHT]);
  expect(hashTypedData({ ...data, types: typesOf("BulkOrder") } as never)).toBe(DIGEST);
});

test("a key signs both, and a wallet is shown both", async () => {
  expect(await keySigner(KEY).signTypedData(data)).toMatch(/^0x[0-9a-f]{130}$/);
  const shown = JSON.parse(walletJson(data));
  expect(shown.message.tree.map((one: { nonce: string }) => one.nonce)).toEqual(["1", "2"]);
  expect(Object.keys(shown.types)).toEqual(["EIP712Domain", "BulkOrder", "Order"]);
});
