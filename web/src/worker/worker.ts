/**
 * The service worker: keeps the app's own files, so that the app opens, and `/leave` works, while the exchange is dead. It
 * keeps no answer of the API and asks nobody but the origin it comes from.
 */
import { genuine, hashesOf, keepAll, type Made, older, policyOf } from "./kept";
import { buildsOf, cacheOf, DOCUMENT, kindOf, outdated } from "./rules";

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

/** Put in by the build: all of its files with their hashes, and a name that changes when any of them does. By the API: the policy. */
const MADE: Made = {
  hashes: hashesOf("%FILES%"),
  cacheName: cacheOf("%VERSION%"),
  policy: policyOf("%POLICY%"),
};

/** A network that says nothing for so long is taken for dead. */
const PATIENCE_MS = 4_000;
const BROKEN = 500;

scope.addEventListener("install", (event) => {
  const keep = async () => {
    await keepAll(caches, MADE, fetch);
    await scope.skipWaiting();
  };
  event.waitUntil(keep());
});

scope.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = outdated(await caches.keys(), MADE.cacheName);
    await Promise.all(names.map((name) => caches.delete(name)));
  };
  event.waitUntil(tidy());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const kind = kindOf(request, location.origin);
  if (kind === "page") event.respondWith(first(request, DOCUMENT));
  else if (kind === "file") event.respondWith(first(request, pathOf(request)));
  else if (kind === "build") event.respondWith(built(request));
});

const pathOf = ({ url }: Request): string => new URL(url).pathname;

/** A file of this build as it was made. What is not of this build, a page of the build before asks for. */
async function built(request: Request): Promise<Response> {
  const path = pathOf(request);
  if (MADE.hashes.has(path)) return (await genuine(caches, MADE, path)) ?? fetch(request);
  const answer = await fetch(request).catch(() => null);
  if (answer?.ok) return answer;
  const names = buildsOf(await caches.keys(), MADE.cacheName);
  return (await older(caches, names, path)) ?? answer ?? Response.error();
}

/** The network's answer, and what was kept when it is dead. */
async function first(request: Request, instead: string): Promise<Response> {
  const answer = fetch(request);
  try {
    const found = await Promise.race([answer, silence()]);
    if (found.status < BROKEN) return found;
  } catch {
    // dead: what was kept
  }
  return (await genuine(caches, MADE, instead)) ?? answer;
}

const silence = (): Promise<never> =>
  new Promise((_, fail) => setTimeout(() => fail(new Error("the network says nothing")), PATIENCE_MS));
