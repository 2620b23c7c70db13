// Works out deposit addresses and judges codes as the page does: reads {places, accounts, chains: [{chainId, codes}]} from the file
// that it is given, and writes {addresses, known} into the other; a chain's answer that makes the page throw is told by its message.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "vite";

const [asked, answered] = process.argv.slice(2);
const server = await createServer({
  logLevel: "error",
  server: { middlewareMode: true, hmr: false, ws: false },
});
const { depositAddressOf, isKnownFactory } = await server.ssrLoadModule("/src/lib/chain/depositAddress.ts");
const { Chain } = await server.ssrLoadModule("/src/lib/chain/rpc.ts");

const { places, accounts, chains } = JSON.parse(readFileSync(asked, "utf8"));
const chainOf = ({ chainId, codes }) =>
  new Chain(async (method, [address] = []) =>
    method === "eth_chainId" ? `0x${chainId.toString(16)}` : (codes[address.toLowerCase()] ?? "0x"),
  );
const addresses = accounts.map((account) => depositAddressOf(places.factory, account));
const known = await Promise.all(
  chains.map((chain) => isKnownFactory(chainOf(chain), places).catch((error) => error.message)),
);
await server.close();
writeFileSync(answered, JSON.stringify({ addresses, known }));
