/** What a contract says of itself: enough to leave by it when nobody else can be asked. Loaded when needed. */
import { Unreachable } from "@/lib/api/errors";
import type { Exchange, Token } from "@/lib/api/types";
import { type Listed, listedTokens, Views } from "./ledger";
import type { Chain } from "./rpc";
import type { Address } from "./typedData";

const ETH = "0x0000000000000000000000000000000000000000";
const MOST_SYMBOL = 12;

export interface Listing {
  readonly tokens: readonly Token[];
  /** Names of tokens of which the exchange has said something else than the chain says; with the token's own, where that differs. */
  readonly misnamed: readonly string[];
}

/** The tokens of a contract by its own word and theirs; `named` gives what they do not know. */
export async function listing(chain: Chain, custody: Address, named: readonly Token[]): Promise<Listing> {
  const fromContract = await listedTokens(new Views(chain, custody));
  const rows = await Promise.all(
    fromContract.map(async (one) => {
      const known = named.find((token) => token.address.toLowerCase() === one.address.toLowerCase());
      const own = await symbolOf(chain, one.address);
      return { token: tokenOf(one, known, own ?? short(one.address)), own };
    }),
  );
  const misnamed = named.flatMap((token) => {
    const row = rows.find((one) => isSame(one.token, token));
    if (!row) return [token.symbol];
    return row.own === null || row.own === token.symbol ? [] : [`${token.symbol} ≠ ${row.own}`];
  });
  return { tokens: rows.map((one) => one.token), misnamed };
}

const isSame = (a: Token, b: Token): boolean =>
  a.token_id === b.token_id &&
  a.address.toLowerCase() === b.address.toLowerCase() &&
  a.unit === b.unit &&
  a.decimals === b.decimals;

const tokenOf = (listed: Listed, known: Token | undefined, symbol: string): Token => ({
  token_id: listed.tokenId,
  asset_id: known?.asset_id ?? listed.tokenId,
  symbol,
  address: listed.address,
  decimals: listed.decimals,
  unit: `${listed.unit}`,
  min_withdrawal: known?.min_withdrawal ?? "1",
});

const short = (token: Address): string => `${token.slice(0, 6)}…${token.slice(-4)}`;

/** A token's own name for itself, which proves nothing; null where it has none. */
async function symbolOf(chain: Chain, token: Address): Promise<string | null> {
  if (token === ETH) return "ETH";
  const said = await new Views(chain, token).ask<string>("symbol").catch((error: unknown) => {
    if (error instanceof Unreachable) throw error;
    return "";
  });
  return /^[\x21-\x7e]+$/.test(said) && said.length <= MOST_SYMBOL ? said : null;
}

/** An exchange of which only the contract is known. Throws when there is no such contract at that address. */
export async function exchangeAt(chain: Chain, custody: Address, factory: Address | null): Promise<Exchange> {
  const chainId = await chain.chainId();
  const { tokens } = await listing(chain, custody, []);
  if (!tokens.length) throw new Error(`the contract at ${custody} lists no tokens`);
  if (factory) {
    const served = await new Views(chain, factory).ask<Address>("custody");
    if (served.toLowerCase() !== custody.toLowerCase())
      throw new Error(`the deposit addresses of ${factory} are those of another contract, ${served}`);
  }
  // what is not here is not known: nothing but calls of the contract can be made with it
  return {
    chain_id: chainId,
    contract: custody,
    ...(factory ? { deposit_addresses: factory } : {}),
    tokens,
    assets: [],
    markets: [],
    public_rpc_url: null,
    faucet: false,
  } as unknown as Exchange;
}
