/**
 * Which exchange is left: the one that the app knows, or else the contract that the user named on this page. A contract named
 * here is nobody's word: nothing outside of this page pays into it or signs for it, and the exchange's own answer comes before it.
 */
import { create } from "zustand";
import { useExchange } from "@/app/exchange";
import type { Exchange } from "@/lib/api/types";
import { exchangeAt } from "@/lib/chain/deployment";
import type { Chain } from "@/lib/chain/rpc";
import type { Address } from "@/lib/chain/typedData";

const useNamed = create<{ readonly exchange: Exchange | null }>(() => ({ exchange: null }));

/** Leave by a contract's address. Throws when there is no such contract. */
export async function nameContract(chain: Chain, custody: Address, factory: Address | null): Promise<void> {
  useNamed.setState({ exchange: await exchangeAt(chain, custody, factory) });
}

export function useLeft(): Exchange | null {
  const known = useExchange((state) => state.exchange);
  const named = useNamed((state) => state.exchange);
  return known ?? named;
}

/** The exchange that is left, once it is known or named. */
export function theLeft(): Exchange {
  const left = useExchange.getState().exchange ?? useNamed.getState().exchange;
  if (!left) throw new Error("the contract is not known yet");
  return left;
}
