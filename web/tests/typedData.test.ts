import { describe, expect, it, vi } from "vitest";
import { typedWithdrawal } from "@/features/funds/signed";
import { hashOf } from "@/features/proof/receipt";
import type { Exchange } from "@/lib/api/types";

const domain = {
  name: "Bizzan",
  version: "1",
  chainId: 31_337,
  verifyingContract: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
} as const;
vi.mock("@/app/exchange", async (original) => ({
  ...(await original<object>()),
  theExchange: () => ({ domain }) as unknown as Exchange,
}));

const ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const MONEY = { account: ACCOUNT, token: ACCOUNT, amount: "5", max_fee: "0", nonce: "77", deadline: "9" };

// the hashes are those of exchange/domain/eip712.py
describe("what is signed has the hash that the exchange gives it", () => {
  it("a stop of trading", () => {
    const message = { account: ACCOUNT, stopped: 1n, nonce: 77n };
    expect(hashOf({ domain, primaryType: "TradingStop", message })).toBe(
      "0xfee0385cf4823a7d0fb47911fe9bd1d99314a38ca387c0854fb6b49855350756",
    );
  });

  it("a countdown", () => {
    const message = { account: ACCOUNT, seconds: 30n, nonce: 77n };
    expect(hashOf({ domain, primaryType: "Countdown", message })).toBe(
      "0x272cf5a05f80ceb085117dfee5363c2a84dddc9cc3c15c0166928ad8a217aff2",
    );
  });

  it("a withdrawal, from the fields of its message", () => {
    expect(hashOf(typedWithdrawal({ type: "Withdrawal", ...MONEY, recipient: ACCOUNT }))).toBe(
      "0xb31a24fa176b0ce2b14f0b44d324819166256e77285aab66b2e1d57f27e694df",
    );
  });

  it("a transfer to funding, which has no recipient", () => {
    expect(hashOf(typedWithdrawal({ type: "FundingTransfer", ...MONEY }))).toBe(
      "0x06340453c36a19231a42d1398f873b61eaaabd8d20f118047e071755d5397cd2",
    );
  });
});
