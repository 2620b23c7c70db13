import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ROUTES } from "@/app/routes";
import { genuine, hashesOf, keepAll, type Made, older, policyOf } from "@/worker/kept";
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
  policy: "default-src 'none'; script-src 'self'",
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

test.each<Record<string, string>>([
  {},
  { refresh: "0;url=https://evil.example", "content-security-policy": "default-src * 'unsafe-inline'" },
  { "content-type": "text/html; charset=utf-16" },
])("what a page wrote around a kept file counts for nothing: %o", async (headers) => {
  const written = { "/": new Response("<html>", { headers }), [FILE]: new Response(CODE, { headers }) };
  const kept = cachesWith({ [made.cacheName]: written });
  const page = await genuine(kept, made, "/");
  const script = await genuine(kept, made, FILE);
  expect(page?.headers.get("content-security-policy")).toBe(made.policy);
  expect(page?.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(script?.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  for (const found of [page, script]) {
    expect(found?.headers.get("x-frame-options")).toBe("DENY");
    expect(found?.headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(found?.headers.get("refresh")).toBeNull();
  }
});

test("a worker that the API gave no policy has the strictest", () => {
  expect(policyOf(made.policy)).toBe(made.policy);
  for (const none of ["%POLICY%", "", "default-src *"]) {
    expect(policyOf(none)).toContain("default-src 'none'; script-src 'self';");
    expect(policyOf(none)).toContain("connect-src 'self';");
  }
});

/** Keeps what the network says of each path, and what was put into which cache. */
async function install(network: (path: string, cache: unknown) => Response) {
  const put: string[] = [];
  const cache = { put: async (path: string, answer: Response) => put.push(`${path} ${await answer.text()}`) };
  const caches = { open: async () => cache as unknown as Cache };
  const failed = await keepAll(caches, made, async (path, init) => network(path, init.cache)).catch(
    (error: Error) => error.message,
  );
  return { put: put.sort(), failed };
}
const BUILD: Readonly<Record<string, string>> = { "/": "<html>", [FILE]: CODE };

test("a build is kept when all of it came", async () => {
  const { put, failed } = await install((path) => new Response(BUILD[path]));
  expect(failed).toBeUndefined();
  expect(put).toEqual(["/ <html>", `${FILE} ${CODE}`]);
});

test.each(["/", FILE])(
  "a build whose %s is of another one is not kept, and its worker not installed",
  async (bad) => {
    const { put, failed } = await install((path) => new Response(path === bad ? "another" : BUILD[path]));
    expect(failed).toBe(`${bad} is not of this build`);
    expect(put).toEqual([]);
  },
);

test("an old file of the browser's own cache does not keep a build out", async () => {
  const { failed } = await install((path, cache) => new Response(cache === "reload" ? BUILD[path] : "old"));
  expect(failed).toBeUndefined();
});

test("a file of the build before comes out of the app's caches alone", async () => {
  const names = buildsOf(["theirs", cacheOf("a"), made.cacheName], made.cacheName);
  expect(names).toEqual([cacheOf("a")]);
  const kept = cachesWith({ theirs: { "/assets/x.js": new Response("no") } });
  expect(await older(kept, names, "/assets/x.js")).toBeUndefined();
  const before = cachesWith({ [cacheOf("a")]: { "/assets/x.js": new Response("yes") } });
  expect(await (await older(before, names, "/assets/x.js"))?.text()).toBe("yes");
});
