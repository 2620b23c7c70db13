/** Builds the service worker beside the app, with the list of the app's files in it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const FILE = "worker.js";
const root = fileURLToPath(new URL("..", import.meta.url));

/** Files of `public/`, which Vite copies as they are. */
function copied(): { path: string; content: Buffer }[] {
  return readdirSync(`${root}public`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort()
    .map((path) => ({ path: path.slice(`${root}public`.length), content: readFileSync(path) }));
}

export const worker: Plugin = {
  name: "worker",
  apply: "build",
  enforce: "post",
  buildStart() {
    this.emitFile({ type: "chunk", id: `${root}src/worker/worker.ts`, fileName: FILE });
  },
  generateBundle(_options, bundle) {
    const chunk = bundle[FILE];
    if (chunk?.type !== "chunk" || chunk.imports.length) throw new Error(`${FILE} must stand alone`);
    const assets = Object.keys(bundle).filter((name) => name.startsWith("assets/"));
    const files = copied();
    const hash = createHash("sha256");
    for (const part of [chunk.code, readFileSync(`${root}index.html`), ...assets.sort()]) hash.update(part);
    for (const file of files) hash.update(file.content);
    const list = [...assets.map((name) => `/${name}`), ...files.map((file) => file.path)].join("|");
    const filled = chunk.code
      .replace("%FILES%", () => list)
      .replace("%VERSION%", hash.digest("hex").slice(0, 16));
    if (filled === chunk.code) throw new Error(`${FILE} takes no list of files`);
    chunk.code = filled;
  },
};
