import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ROUTES } from "@/app/routes";
import { genuine, hashesOf, type Made, older } from "@/worker/kept";
import { buildsOf, cacheOf, kindOf, outdated, PAGES } from "@/worker/rules";

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
  expect(outdated(names, cacheOf("c"))).toEqual([cacheOf("a")]);
  expect(outdated([cacheOf("a"), cacheOf("b")], cacheOf("b"))).toEqual([]);
  expect(outdated([], cacheOf("b"))).toEqual([]);
});

const CODE = "export const good = 1;";
const FILE = "/assets/index-1a2b.js";
const hashOf = (text: string) => createHash("sha256").update(text).digest("base64");
const made: Made = {
  hashes: hashesOf(`/ ${hashOf("<html>")}|${FILE} ${hashOf(CODE)}`),
  cacheName: cacheOf("b"),
};

/** The origin's caches, as scripts of the page may have left them. */
const cachesWith = (written: Record<string, Record<string, Response>>) => ({
  match: async (asked: RequestInfo | URL, { cacheName = "" }: MultiCacheQueryOptions = {}) =>
    written[cacheName]?.[`${asked}`]?.clone(),
});

test("a kept file is answered as the build made it", async () => {
  const kept = cachesWith({ [made.cacheName]: { [FILE]: new Response(CODE), "/": new Response("<html>") } });
  expect(await (await genuine(kept, made, FILE))?.text()).toBe(CODE);
  expect(await (await genuine(kept, made, "/"))?.text()).toBe("<html>");
});

test("a script that a page wrote over a kept file is never answered", async () => {
  const evil = new Response("steal();");
  const kept = cachesWith({ [made.cacheName]: { [FILE]: evil, "/": evil, "/assets/evil.js": evil } });
  for (const path of [FILE, "/", "/assets/evil.js"]) expect(await genuine(kept, made, path)).toBeUndefined();
});

test("a file of this build comes out of no other cache", async () => {
  const kept = cachesWith({
    theirs: { [FILE]: new Response(CODE) },
    [cacheOf("a")]: { [FILE]: new Response(CODE) },
  });
  expect(await genuine(kept, made, FILE)).toBeUndefined();
});

test("headers that a page gave a kept file are dropped, and the policy stays", async () => {
  const headers = { "content-security-policy": "default-src 'none'", refresh: "0;url=https://evil.example" };
  const kept = cachesWith({ [made.cacheName]: { "/": new Response("<html>", { headers }) } });
  const found = await genuine(kept, made, "/");
  expect(found?.headers.get("content-security-policy")).toBe("default-src 'none'");
  expect(found?.headers.get("refresh")).toBeNull();
});

test("a file of the build before comes out of the app's caches alone", async () => {
  const names = buildsOf(["theirs", cacheOf("a"), made.cacheName], made.cacheName);
  expect(names).toEqual([cacheOf("a")]);
  const kept = cachesWith({ theirs: { "/assets/x.js": new Response("no") } });
  expect(await older(kept, names, "/assets/x.js")).toBeUndefined();
  const before = cachesWith({ [cacheOf("a")]: { "/assets/x.js": new Response("yes") } });
  expect(await (await older(before, names, "/assets/x.js"))?.text()).toBe("yes");
});
