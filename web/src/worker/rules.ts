/** What the service worker keeps, and what it must never touch. */

/** First parts of the paths of the app's pages: `src/app/routes.ts` has the same. */
export const PAGES: readonly string[] = ["", "trade", "funds", "proof", "leave", "operator", "legal"];

export const DOCUMENT = "/";
const CACHE = "bizzan-app-";
/** The build before this one stays, for tabs that still run it. */
const KEPT_BUILDS = 2;

export const cacheOf = (version: string): string => `${CACHE}${version}`;

/**
 * - `page`: the app's document; from the network while that answers, so that nobody stays on an old build.
 * - `build`: a file whose name says what is in it.
 * - `file`: a file whose name does not, such as the logo.
 * - `other`: not of the app; answers of the API above all. It goes its way as if there were no worker.
 */
export type Kind = "page" | "build" | "file" | "other";

interface Asked {
  readonly method: string;
  readonly mode: string;
  readonly url: string;
}

/** What is asked for, of a worker at `origin`. */
export function kindOf({ method, mode, url }: Asked, origin: string): Kind {
  const { origin: asked, pathname } = new URL(url);
  if (method !== "GET" || asked !== origin) return "other";
  const [, first = "", second] = pathname.split("/");
  if (mode === "navigate") return PAGES.includes(first) ? "page" : "other";
  if (second && first === "assets") return "build";
  return second && first === "brand" ? "file" : "other";
}

/** The caches of other builds than `mine`, in the order of their making. */
export const buildsOf = (names: readonly string[], mine: string): string[] =>
  names.filter((name) => name.startsWith(CACHE) && name !== mine);

/** Of the caches there are, in the order of their making, those to delete. */
export function outdated(names: readonly string[], mine: string): string[] {
  const builds = buildsOf(names, mine);
  return builds.slice(0, Math.max(0, builds.length - (KEPT_BUILDS - 1)));
}
