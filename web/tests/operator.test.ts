import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { hashTypedData } from "viem/utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { inLanguage, unread } from "@/app/announcements";
import { useExchange } from "@/app/exchange";
import { feesOf } from "@/features/operator/rates";
import { sendCall } from "@/features/operator/sending";
import { Rows } from "@/features/operator/Withdrawals";
import type { Announcement, Exchange, Token } from "@/lib/api/types";
import { approvalCall, judgeAll, question, type Said, type Verdict } from "@/lib/chain/approving";
import { governingCall, operationOf } from "@/lib/chain/governing";
import { keySigner } from "@/lib/chain/keys";
import { Chain, ChainRefused } from "@/lib/chain/rpc";
import { type Address, type Domain, type Hex, TYPES } from "@/lib/chain/typedData";

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

describe("a role's own call", () => {
  const exchange = { chain_id: 31_337, contract: CUSTODY.toLowerCase() } as Exchange;
  const call = governingCall(CUSTODY, "pause", [60n]);
  const send = vi.fn(async () => "0x01" as Hex);

  beforeEach(() => {
    send.mockClear();
    useExchange.setState({ exchange, confirmed: true, changed: null });
  });

  it("is sent to the exchange that is confirmed", async () => {
    expect(await sendCall({ send }, call)).toBe("0x01");
    expect(send).toHaveBeenCalledWith(call, 31_337);
  });

  it.each([
    ["is not confirmed", { confirmed: false }],
    ["says that it is another", { changed: { changes: [], accept: () => undefined } }],
    ["is another than it was prepared for", { exchange: { ...exchange, contract: `0x${"ee".repeat(20)}` } }],
  ])("is not signed while the exchange %s", (_, state) => {
    useExchange.setState(state);
    expect(() => sendCall({ send }, call)).toThrow("Nothing was signed.");
    expect(send).not.toHaveBeenCalled();
  });
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
  const token: Token = {
    token_id: 0,
    asset_id: 2,
    symbol: "DAI",
    address: CUSTODY.toLowerCase(),
    decimals: 18,
    unit: `${10n ** 12n}`,
    min_withdrawal: "1",
  };
  const row = async (): Promise<Said> => {
    const typed = { domain, primaryType: "Withdrawal", message } as const;
    return {
      withdrawal_hash: hashTypedData({ ...typed, types: { Withdrawal: TYPES.Withdrawal } } as never),
      message: stored,
      signature: await signer.signTypedData(typed),
      account: signer.address,
      asset_id: 2,
      amount: "5000000",
      deadline: 1_900_000_000,
    };
  };
  /** A chain on which the account's code answers so; null: the node fails. */
  const codeWith = (answer: string | null) =>
    new Chain(async () => {
      if (answer === null) throw new ChainRefused("no", -32_000, null);
      return answer;
    });
  const judge = async (change: Partial<Said>, tokens: readonly Token[] | null = [token], answer = "0x") => {
    const [found] = await judgeAll(codeWith(answer), domain, tokens, [{ ...(await row()), ...change }]);
    return found?.verdict;
  };
  const flipped = async () => {
    const { signature } = await row();
    return `${signature.slice(0, 10)}00${signature.slice(12)}`;
  };

  it("is judged by its hash and its signature", async () => {
    expect(await judge({})).toBe("key");
    expect(await judge({ message: { ...stored, amount: "1" } })).toBe("other_hash");
    expect(await judge({ message: {} })).toBe("other_hash");
    const elsewhere = await judgeAll(null, { ...domain, chainId: 1 }, [token], [await row()]);
    expect(elsewhere[0]?.verdict).toBe("other_hash");
  });

  it.each<[string, Partial<Said>]>([
    ["account", { account: "0x1111111111111111111111111111111111111111" }],
    ["asset", { asset_id: 3 }],
    ["amount", { amount: "5" }],
    ["deadline", { deadline: 1 }],
  ])("is not approved where the exchange says another %s than was signed", async (_, change) => {
    expect(await judge(change)).toBe("other_row");
  });

  it("is of a token and an amount that the contract itself lists", async () => {
    expect(await judge({}, null)).toBe("unasked");
    expect(await judge({}, [])).toBe("unlisted");
    expect(await judge({}, [{ ...token, unit: `${10n ** 19n}` }])).toBe("odd_amount");
    expect(await judge({}, [{ ...token, unit: "1", decimals: 18 }])).toBe("other_row");
  });

  it("that its key did not sign is good only if a contract at the account says so", async () => {
    const signature = await flipped();
    const yes = `0x${"0".repeat(63)}1`;
    expect(await judge({ signature }, [token], `0x${"0".repeat(64)}`)).toBe("unsigned");
    expect(await judge({ signature }, [token], yes)).toBe("code");
    expect(await judge({ signature: "0x" }, [token], yes)).toBe("unsigned");
    const unheard = await judgeAll(codeWith(null), domain, [token], [{ ...(await row()), signature }]);
    expect(unheard[0]?.verdict).toBe("unasked");
  });

  it("asks a contract wallet as the contract does", () => {
    const asked = question(`0x${"11".repeat(20)}`, `0x${"22".repeat(32)}`, `0x${"33".repeat(65)}`);
    expect(asked).toBe(
      "0x6100c4603f5f3960205f6100c45f7311111111111111111111111111111111111111116207a120fa3d601f10165f51631626ba7e60e01b14165f5260205ff31626ba7e222222222222222222222222222222222222222222222222222222222222222200000000000000000000000000000000000000000000000000000000000000400000000000000000000000000000000000000000000000000000000000000041333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333300000000000000000000000000000000000000000000000000000000000000",
    );
  });

  it.each<[Verdict, boolean]>([
    ["key", true],
    ["code", true],
    ["other_row", false],
    ["unsigned", false],
    ["unlisted", false],
    ["odd_amount", false],
    ["unasked", false],
  ])("with the verdict %s has a button: %s, and shows what was signed", async (verdict, has) => {
    const said = { ...(await row()), account: "0x1111", amount: "5", needed: 2, given_by: [], seen_at: 0 };
    const rows = [{ row: said, verdict, token }];
    const shown = renderToStaticMarkup(
      createElement(Rows, { rows, mine: signer.address, approve: () => undefined }),
    );
    expect(shown.includes("<button") && shown.includes(">Approve<")).toBe(has);
    expect(shown).toContain("5 DAI");
    expect(shown).not.toContain("0x1111");
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
