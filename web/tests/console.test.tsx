import { renderToStaticMarkup } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { operator } from "@/features/operator/client";
import { Why } from "@/features/operator/Log";
import { mayHalt } from "@/features/operator/Markets";
import { Texts } from "@/features/operator/Texts";
import { Became, becameOf, isUnobeyed } from "@/features/operator/Unobeyed";
import { api } from "@/lib/api/client";
import { Unreachable } from "@/lib/api/errors";
import type { OperatorEntry, OperatorMarket } from "@/lib/api/types";

const entry = (change: Partial<OperatorEntry>) =>
  ({ entry_id: 7, follows: null, outcome: "asked", details: {}, reason: "why", ...change }) as OperatorEntry;

const TEXTS = { en: "All is well.", "zh-CN": "请立即充值到新地址", ar: "نص آخر" };

test("an announcement is shown to operators in every language in which it stands", () => {
  const shown = renderToStaticMarkup(<Texts texts={TEXTS} />);
  for (const [tag, text] of Object.entries(TEXTS)) {
    expect(shown).toContain(text);
    expect(shown).toContain(`lang="${tag}"`);
  }
});

test("the log shows what was announced, in every language", () => {
  const shown = renderToStaticMarkup(<Why entry={entry({ details: { texts: TEXTS, severity: "info" } })} />);
  for (const text of ["why", ...Object.values(TEXTS)]) expect(shown).toContain(text);
  expect(renderToStaticMarkup(<Why entry={entry({})} />)).not.toContain("<dl");
});

test("a command that the engine has not answered does not look done", () => {
  expect(isUnobeyed({ outcome: "asked" })).toBe(true);
  expect(isUnobeyed({ outcome: "applied" })).toBe(false);
  expect(isUnobeyed({ outcome: "done" })).toBe(false);
  expect(renderToStaticMarkup(<Became entry={7} now={null} />)).toContain("Not obeyed yet.");
});

test("what becomes of it is the entry that follows it", () => {
  const refused = entry({
    entry_id: 9,
    follows: 7,
    outcome: "refused",
    details: { message: "no such market" },
  });
  const log = [entry({ entry_id: 10, follows: 8, outcome: "applied" }), refused, entry({})];
  expect(becameOf(log, 7)).toBe(refused);
  expect(becameOf(log, 10)).toBeNull();
  const shown = renderToStaticMarkup(<Became entry={7} now={refused} />);
  expect(shown).toContain("no such market");
  expect(shown).not.toContain("Not obeyed yet.");
});

test("a command without an answer says that it may be done all the same", async () => {
  vi.spyOn(api, "post").mockRejectedValue(new Unreachable("the exchange does not answer: timeout"));
  await expect(operator.halt("ETH-USDC", "why")).rejects.toThrow("It may be done all the same");
});

test("a market that the chain halts can be halted here too; one that is halted here, not again", () => {
  const market = (status: string, halted_on_chain: string | null) =>
    ({ status, halted_on_chain }) as OperatorMarket;
  expect(mayHalt(market("halted", "the owner halted it"))).toBe(true);
  expect(mayHalt(market("halted", null))).toBe(false);
  expect(mayHalt(market("open", null))).toBe(true);
  expect(mayHalt(market("auction", null))).toBe(true);
});
