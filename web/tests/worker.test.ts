import { expect, test } from "vitest";
import { ROUTES } from "@/app/routes";
import { cacheOf, kindOf, outdated, PAGES } from "@/worker/rules";

const HOME = "https://exchange.example";
const ask = (path: string, mode = "cors", method = "GET") =>
  kindOf({ method, mode, url: new URL(path, HOME).href }, HOME);

test("the worker knows every page of the app", () => {
  for (const route of ROUTES) expect(PAGES).toContain(route.path);
});

test.each([
  ["/", "navigate", "page"],
  ["/leave", "navigate", "page"],
  ["/trade/BTC-USDC", "navigate", "page"],
  ["/status", "navigate", "other"],
  ["/docs", "navigate", "other"],
  ["/v1/exchange", "navigate", "other"],
  ["/assets/index-1a2b.js", "cors", "build"],
  ["/brand/logo.svg", "no-cors", "file"],
  ["/worker.js", "same-origin", "other"],
])("%s asked for by %s is %s", (path, mode, kind) => {
  expect(ask(path, mode)).toBe(kind);
});

test.each(["/v1/exchange", "/v1/account", "/v1/markets/BTC-USDC/book", "/openapi.json", "/healthz"])(
  "the answer of %s is nobody's to keep",
  (path) => {
    expect(ask(path)).toBe("other");
  },
);

test("nothing is kept that is sent, and nothing of another origin", () => {
  expect(ask("/leave", "navigate", "POST")).toBe("other");
  expect(ask("https://elsewhere.example/assets/index.js")).toBe("other");
});

test("this build and the one before it stay; what is not the app's is left alone", () => {
  const names = ["theirs", cacheOf("a"), cacheOf("b"), cacheOf("c")];
  expect(outdated(names, "c")).toEqual([cacheOf("a")]);
  expect(outdated([cacheOf("a"), cacheOf("b")], "b")).toEqual([]);
  expect(outdated([], "b")).toEqual([]);
});
