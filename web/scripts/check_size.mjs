// Fails when what the browser loads before anything is clicked is more JavaScript than the budget, or has the console's texts.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 200 * 1024;
/** A key of `src/features/operator/texts`, in every language. */
const OF_THE_CONSOLE = "gate.title";
const built = new URL("../../backend/web/built/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", built), "utf8"));

/** A chunk and everything that it imports at once. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const imported of manifest[key].imports ?? []) closure(imported, seen);
  return seen;
}

/** The entry, and the chunks that a first visit of the trade page asks for by itself. */
const FIRST_VISIT = ["index.html", "src/pages/TradePage.tsx", "src/features/market/chart/drawing.ts"];

const chunks = new Set(FIRST_VISIT.filter((key) => key in manifest).flatMap((key) => [...closure(key)]));
if (!chunks.has("index.html")) throw new Error("the manifest has no entry index.html");
let total = 0;
for (const key of chunks) {
  const code = readFileSync(new URL(manifest[key].file, built));
  if (code.includes(OF_THE_CONSOLE))
    throw new Error(`${manifest[key].file} has texts of the operator's console`);
  const size = gzipSync(code, { level: 9 }).length;
  total += size;
  process.stdout.write(`${String(size).padStart(8)}  ${manifest[key].file}\n`);
}
process.stdout.write(`${String(total).padStart(8)}  first visit, of ${BUDGET} (gzip)\n`);
if (total > BUDGET) {
  process.stderr.write("web: the first visit loads too much JavaScript: load something later\n");
  process.exit(1);
}
