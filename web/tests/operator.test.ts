import { describe, expect, it } from "vitest";
import { inLanguage, unread } from "@/app/announcements";
import { feesOf } from "@/features/operator/rates";
import type { Announcement } from "@/lib/api/types";
import { approvalCall, judge } from "@/lib/chain/approving";
import { governingCall, operationOf } from "@/lib/chain/governing";
import { keySigner } from "@/lib/chain/keys";
import type { Address, Domain, Hex } from "@/lib/chain/typedData";

const CUSTODY: Address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const KEY: Hex = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const domain: Domain = { name: "Bizzan", version: "1", chainId: 31_337, verifyingContract: CUSTODY };

describe("fees as an operator writes them", () => {
  it("are exact, tier by tier", () => {
    expect(feesOf("2:5, 1:3.5", "0.01", 6)).toEqual({
      tiers: [
        { maker_fee_ppm: 200, taker_fee_ppm: 500 },
        { maker_fee_ppm: 100, taker_fee_ppm: 350 },
      ],
      floor: "10000",
    });
  });

  it.each(["", "2", "2:", "2:5:7", "-1:5", "2:5.123", "a:b", Array(17).fill("1:2").join(",")])(
    "refuse %s",
    (rates) => expect(feesOf(rates, "0", 6)).toBeNull(),
  );

  it("refuse a floor finer than the asset", () => expect(feesOf("2:5", "0.0000001", 6)).toBeNull());
});

describe("announcements", () => {
  const one = (announcement_id: number, severity: Announcement["severity"]): Announcement => ({
    announcement_id,
    severity,
    texts: { en: "text" },
    from_ms: 0,
    until_ms: 1,
  });

  it("are shown by weight, without those that were put away", () => {
    const shown = [one(3, "info"), one(2, "critical"), one(1, "warning")];
    expect(unread({ shown, dismissed: [1] }).map((found) => found.announcement_id)).toEqual([2, 3]);
  });

  it("are shown in the app's language, in its tongue, or in English", () => {
    const texts = { en: "hello", "zh-CN": "你好" };
    expect(inLanguage(texts, "zh-CN")).toEqual({ tag: "zh-CN", text: "你好" });
    expect(inLanguage(texts, "zh-TW")).toEqual({ tag: "zh-CN", text: "你好" });
    expect(inLanguage(texts, "ar")).toEqual({ tag: "en", text: "hello" });
  });
});

describe("a withdrawal that waits", () => {
  const signer = keySigner(KEY);
  const message = {
    account: signer.address,
    token: CUSTODY,
    amount: 5n * 10n ** 18n,
    recipient: "0x7777777777777777777777777777777777777777",
    max_fee: 0n,
    nonce: 1n,
    deadline: 1_900_000_000n,
  };
  const stored = Object.fromEntries(Object.entries(message).map(([name, value]) => [name, `${value}`]));
  const row = async () => {
    const { hashTypedData } = await import("viem/utils");
    const { TYPES } = await import("@/lib/chain/typedData");
    const typed = { domain, primaryType: "Withdrawal", message } as const;
    return {
      withdrawal_hash: hashTypedData({
        ...typed,
        types: { Withdrawal: TYPES.Withdrawal },
      } as never) as string,
      message: stored,
      signature: (await signer.signTypedData(typed)) as string,
    };
  };

  it("is judged by its hash and its signature", async () => {
    const good = await row();
    expect(await judge(domain, good)).toBe("key");
    const more = { ...stored, amount: "1" };
    expect(await judge(domain, { ...good, message: more })).toBe("other_hash");
    expect(await judge({ ...domain, chainId: 1 }, good)).toBe("other_hash");
    const flipped = `${good.signature.slice(0, 10)}00${good.signature.slice(12)}`;
    expect(await judge(domain, { ...good, signature: flipped })).toBe("code");
  });

  it("is approved by its own fields", async () => {
    const call = approvalCall(CUSTODY, await row(), CUSTODY);
    expect(call.signature).toBe(
      "approve_withdrawal(address,address,uint256,address,uint256,uint256,uint256,address,bytes)",
    );
    expect(call.args.slice(0, 7)).toEqual(Object.values(stored));
    expect(call.args.slice(7)).toEqual([CUSTODY, "0x"]);
  });
});

describe("a call of a role's", () => {
  it("says what it does, and is announced by the hash of its data", () => {
    const call = governingCall(CUSTODY, "set_market_status", [1n, true]);
    expect(call.command).toBe(
      `cast send ${CUSTODY} "set_market_status(uint256,bool)" 1 true --private-key "$KEY"`,
    );
    expect(call.data.length).toBe(2 + 2 * (4 + 64));
    expect(operationOf(call)).toMatch(/^0x[0-9a-f]{64}$/);
    expect(governingCall(CUSTODY, "pause", [60n]).args).toEqual(["60"]);
  });
});
