/** Builds the service worker beside the app, with the list of the app's files and their hashes in it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const FILE = "worker.js";
const root = fileURLToPath(new URL("..", import.meta.url));

/** The folders of the build whose files the worker keeps, as the API serves them. */
const FOLDERS = ["assets", "brand"];
const DOCUMENT = "/";

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("base64");

/** `path hash` of everything that was built: what is on disk at the end is what is served. */
function listed(folder: string): string[] {
  const paths = FOLDERS.flatMap((name) => readdirSync(`${folder}/${name}`).map((file) => `/${name}/${file}`));
  const files = paths.sort().map((path) => `${path} ${sha256(readFileSync(`${folder}${path}`))}`);
  return [`${DOCUMENT} ${sha256(readFileSync(`${folder}/index.html`))}`, ...files];
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
  },
  writeBundle: {
    order: "post",
    sequential: true,
    handler({ dir: folder = "" }) {
      const path = `${folder}/${FILE}`;
      const code = readFileSync(path, "utf8");
      const list = listed(folder).join("|");
      const version = createHash("sha256").update(code).update(list).digest("hex").slice(0, 16);
      const filled = code.replace("%FILES%", () => list).replace("%VERSION%", version);
      if (!filled.includes(list) || !filled.includes(version))
        throw new Error(`${FILE} takes no list of files`);
      writeFileSync(path, filled);
    },
  },
};
