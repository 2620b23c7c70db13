/** What must not change unseen: the contracts that a wallet signs for and pays into. */
import type { Exchange } from "@/lib/api/types";

export interface Change {
  readonly name: string;
  readonly known: string;
  readonly found: string;
}

const PARTS: Readonly<Record<string, (exchange: Exchange) => unknown>> = {
  chain_id: (exchange) => exchange.chain_id,
  contract: (exchange) => exchange.contract,
  operator_bond: (exchange) => exchange.operator_bond,
  deposit_addresses: (exchange) => exchange.deposit_addresses,
  "domain.name": (exchange) => exchange.domain?.name,
  "domain.chainId": (exchange) => exchange.domain?.chainId,
  "domain.verifyingContract": (exchange) => exchange.domain?.verifyingContract,
};

/** In what the exchange is another than the one that this browser knows. What it never knew is no change. */
export function changesOf(known: Exchange | null, found: Exchange): Change[] {
  if (!known) return [];
  return Object.entries(PARTS).flatMap(([name, part]) => {
    if (part(known) === undefined) return [];
    const [before, now] = [`${part(known)}`, `${part(found)}`];
    return before.toLowerCase() === now.toLowerCase() ? [] : [{ name, known: before, found: now }];
  });
}

/** The contract that the app was built for, where whoever built it said so (`brand.json`). */
export interface Deployment {
  readonly chain_id: number;
  readonly contract: string;
  /** The factory of its deposit addresses, where that was said as well. */
  readonly deposit_addresses?: string;
}

/** In what the exchange is another than the one that the app was built for. */
export function builtOtherwise(found: Exchange, built: Deployment | null): Change[] {
  if (!built) return [];
  const { chain_id, contract } = built;
  return changesOf(
    { ...built, domain: { chainId: chain_id, verifyingContract: contract } } as unknown as Exchange,
    found,
  );
}

/** What the browser kept, unless it is of another contract than the app was built for. */
export const trusted = (kept: Exchange | null, built: Deployment | null): Exchange | null =>
  kept && builtOtherwise(kept, built).length ? null : kept;
