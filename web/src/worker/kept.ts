/**
 * What was kept, and whether it still is what the build made. Scripts of the page can write the same caches, so whatever comes
 * out of one is measured against the hashes in the worker itself before it is answered.
 */

import { DOCUMENT } from "./rules";

export interface Made {
  /** Path to SHA-256 in base64 of every file of this build, its document included. */
  readonly hashes: ReadonlyMap<string, string>;
  readonly cacheName: string;
  /** The document's Content-Security-Policy. */
  readonly policy: string;
}

type Kept = Pick<CacheStorage, "match">;

/** What the API says of every file (`SECURITY_HEADERS` of `backend/middleware.py`). A cache's own headers are nobody's word. */
const HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cross-origin-opener-policy": "same-origin",
};

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  jpg: "image/jpeg",
  webp: "image/webp",
  ico: "image/x-icon",
  woff2: "font/woff2",
};

const STRICTEST =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The policy that the API put into the worker, or the strictest with which the app opens if it put none. */
export const policyOf = (said: string): string => (said.startsWith("default-src 'none';") ? said : STRICTEST);

function headersOf(path: string, policy: string): Record<string, string> {
  if (path === DOCUMENT)
    return { ...HEADERS, "content-type": "text/html; charset=utf-8", "content-security-policy": policy };
  const ending = path.split(".").at(-1) ?? "";
  return { ...HEADERS, "content-type": TYPES[ending] ?? "application/octet-stream" };
}

/** `path hash` of every file, as the build writes it. */
export const hashesOf = (files: string): ReadonlyMap<string, string> =>
  new Map(files.split("|").map((line) => line.split(" ", 2) as [string, string]));

/**
 * Fetch all of this build, and keep it if each file is what the build made. Throws, and keeps nothing, when any is another,
 * as while another build is rolled out: the worker before this one then stays, with a build that is whole.
 */
export async function keepAll(
  caches: Pick<CacheStorage, "open">,
  made: Made,
  fetch: (path: string, init: RequestInit) => Promise<Response>,
): Promise<void> {
  const files = await Promise.all(
    [...made.hashes].map(async ([path, hash]) => [path, await fetched(fetch, path, hash)] as const),
  );
  const cache = await caches.open(made.cacheName);
  const put = files.map(([path, body]) =>
    cache.put(path, new Response(body, { headers: headersOf(path, made.policy) })),
  );
  await Promise.all(put);
}

/** A file with this hash; what the browser's own cache has of another build is passed by. */
async function fetched(
  fetch: (path: string, init: RequestInit) => Promise<Response>,
  path: string,
  hash: string,
): Promise<ArrayBuffer> {
  for (const cache of ["default", "reload"] as const) {
    const answer = await fetch(path, { cache });
    const body = await answer.arrayBuffer();
    if (answer.ok && (await sha256(body)) === hash) return body;
  }
  throw new Error(`${path} is not of this build`);
}

/** A file of this build out of its own cache; nothing if it is not there, or not what the build made. */
export async function genuine(
  caches: Kept,
  { hashes, cacheName, policy }: Made,
  path: string,
): Promise<Response | undefined> {
  const hash = hashes.get(path);
  const found = hash && (await caches.match(path, { cacheName, ignoreVary: true }));
  if (!found) return undefined;
  const body = await found.arrayBuffer();
  return (await sha256(body)) === hash ? new Response(body, { headers: headersOf(path, policy) }) : undefined;
}

async function sha256(body: ArrayBuffer): Promise<string> {
  return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", body))));
}

/** A file of a build before this one. Only that build's own pages, opened before this one came, name it. */
export async function older(
  caches: Kept,
  cacheNames: readonly string[],
  path: string,
): Promise<Response | undefined> {
  for (const cacheName of cacheNames) {
    const found = await caches.match(path, { cacheName, ignoreVary: true });
    if (found) return found;
  }
  return undefined;
}
