/**
 * The service worker: keeps the app's own files, so that the app opens, and `/leave` works, while the exchange is dead. It
 * keeps no answer of the API and asks nobody but the origin it comes from.
 */
import { cacheOf, DOCUMENT, kindOf, outdated } from "./rules";

interface Waiting extends Event {
  waitUntil(done: Promise<unknown>): void;
}

interface Asking extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Scope {
  addEventListener(name: "install" | "activate", act: (event: Waiting) => void): void;
  addEventListener(name: "fetch", act: (event: Asking) => void): void;
  skipWaiting(): Promise<void>;
}

const scope = self as unknown as Scope;

/** Put in by the build: all of its files, and a name that changes when any of them does. */
const FILES: readonly string[] = "%FILES%".split("|");
const VERSION = "%VERSION%";

/** A network that says nothing for so long is taken for dead. */
const PATIENCE_MS = 4_000;
const BROKEN = 500;

scope.addEventListener("install", (event) => {
  const keep = async () => {
    const cache = await caches.open(cacheOf(VERSION));
    await cache.addAll([new Request(DOCUMENT, { cache: "reload" }), ...FILES]);
    await scope.skipWaiting();
  };
  event.waitUntil(keep());
});

scope.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = outdated(await caches.keys(), VERSION);
    await Promise.all(names.map((name) => caches.delete(name)));
  };
  event.waitUntil(tidy());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const kind = kindOf(request, location.origin);
  if (kind === "page") event.respondWith(first(request, DOCUMENT));
  else if (kind === "file") event.respondWith(first(request, request));
  else if (kind === "build") event.respondWith(built(request));
});

const kept = (asked: Request | string, cacheName?: string): Promise<Response | undefined> =>
  caches.match(asked, { ignoreVary: true, ignoreSearch: true, ...(cacheName ? { cacheName } : {}) });

/** A build's file never changes under its name, so that of an older build serves as well. */
const built = async (request: Request): Promise<Response> => (await kept(request)) ?? fetch(request);

/** The network's answer, and what was kept when it is dead. */
async function first(request: Request, instead: Request | string): Promise<Response> {
  const answer = fetch(request);
  try {
    const found = await Promise.race([answer, silence()]);
    if (found.status < BROKEN) return found;
  } catch {
    // dead: what was kept
  }
  return (await kept(instead, cacheOf(VERSION))) ?? answer;
}

const silence = (): Promise<never> =>
  new Promise((_, fail) => setTimeout(() => fail(new Error("the network says nothing")), PATIENCE_MS));
