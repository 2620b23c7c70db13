// Judges drafts of the order form as the form does: reads {rules, base, quote, cases: [{draft, around}]} from the file that it is
// given, with bigints as text, and writes what each means or complains of into the other; what is meant has the nonce that the
// page would sign.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "vite";

const [asked, answered] = process.argv.slice(2);
const server = await createServer({
  logLevel: "error",
  server: { middlewareMode: true, hmr: false, ws: false },
});
const { EMPTY, judge } = await server.ssrLoadModule("/src/features/orders/draft.ts");
const { Nonces } = await server.ssrLoadModule("/src/features/orders/nonces.ts");
const { MarketUnits } = await server.ssrLoadModule("/src/lib/money/market.ts");

const { rules, base, quote, cases } = JSON.parse(readFileSync(asked, "utf8"));
const units = new MarketUnits(rules, base, quote);
const BIGINTS = ["bestBid", "bestAsk", "lastPrice", "maxQuantity", "maxNotional"];
const worldOf = (around) => ({
  ...around,
  ...Object.fromEntries(BIGINTS.map((name) => [name, around[name] === null ? null : BigInt(around[name])])),
});
const nonces = new Nonces(BigInt(cases[0].around.now));
const withNonce = (meant) => meant && { ...meant, nonce: nonces.next(meant.singleFill) };
const judged = cases.map(({ draft, around }) => {
  const { meant, second, complaints } = judge({ ...EMPTY, ...draft }, units, worldOf(around));
  return { meant: withNonce(meant), second: withNonce(second), complaints };
});
const text = JSON.stringify(judged, (_, value) => (typeof value === "bigint" ? `${value}` : value));
await server.close();
writeFileSync(answered, text);
