/**
 * What was kept, and whether it still is what the build made. Scripts of the page can write the same caches, so whatever comes
 * out of one is measured against the hashes in the worker itself before it is answered.
 */

export interface Made {
  /** Path to SHA-256 in base64 of every file of this build, its document included. */
  readonly hashes: ReadonlyMap<string, string>;
  readonly cacheName: string;
}

type Kept = Pick<CacheStorage, "match">;

/** Headers that mean something of a file here; a cache may have been given others. */
const HEADERS = [
  "content-type",
  "content-security-policy",
  "x-content-type-options",
  "referrer-policy",
  "permissions-policy",
];

/** `path hash` of every file, as the build writes it. */
export const hashesOf = (files: string): ReadonlyMap<string, string> =>
  new Map(files.split("|").map((line) => line.split(" ", 2) as [string, string]));

/** A file of this build out of its own cache; nothing if it is not there, or not what the build made. */
export async function genuine(
  caches: Kept,
  { hashes, cacheName }: Made,
  path: string,
): Promise<Response | undefined> {
  const hash = hashes.get(path);
  const found = hash && (await caches.match(path, { cacheName, ignoreVary: true }));
  if (!found) return undefined;
  const body = await found.arrayBuffer();
  if ((await sha256(body)) !== hash) return undefined;
  const headers = HEADERS.flatMap((name) => {
    const said = found.headers.get(name);
    return said === null ? [] : [[name, said] as [string, string]];
  });
  return new Response(body, { headers });
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
