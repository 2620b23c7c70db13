import { useCallback, useRef } from "react";
import { useExchange } from "@/app/exchange";
import { fromOwnNode, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { sentenceOf } from "@/lib/api/errors";
import type { Exchange, Reserves } from "@/lib/api/types";
import type { Reserve } from "@/lib/chain/ledger";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { type Polled, usePolled } from "@/lib/usePolled";
import { comparedBlock } from "./standing";

const EVERY_MS = 4_000;

export interface FromChain {
  readonly block: number;
  readonly reserves: readonly Reserve[];
  /** The exchange's books are of a block too far from the node's head to compare. */
  readonly old: boolean;
  /** Who was asked. */
  readonly node: Told<unknown>["node"];
}

/** Whether there is a node to ask: the wallet's, or the exchange's public one. */
export function useHasNode(): boolean {
  const named = useExchange((known) => Boolean(known.exchange?.public_rpc_url));
  const wallet = useWallet((state) => state.wallet?.provider != null);
  return named || wallet;
}

export interface Compared {
  /** What the exchange said last. */
  readonly books: Reserves | null;
  /** Why it did not answer now. */
  readonly booksFailed: string | null;
  readonly chain: FromChain | null;
}

/**
 * The exchange's sums, and what the chain says at the same block. While the exchange is away the chain is asked about its
 * latest block.
 */
export function useReserves(): Polled<Compared> {
  const exchange = useExchange((known) => known.exchange);
  const hasNode = useHasNode();
  const last = useRef<Reserves | null>(null);
  const read = useCallback(async (): Promise<Compared> => {
    if (!exchange) throw new Error("the exchange is not known yet");
    let booksFailed: string | null = null;
    try {
      last.current = await api.reserves();
    } catch (error) {
      booksFailed = sentenceOf(error);
    }
    const height = booksFailed === null ? (last.current?.block ?? null) : null;
    const chain = hasNode ? await fromChain(exchange, height) : null;
    return { books: last.current, booksFailed, chain };
  }, [exchange, hasNode]);
  return usePolled(exchange ? read : null, EVERY_MS);
}

async function fromChain(exchange: Exchange, books: number | null): Promise<FromChain> {
  const { reservesAt } = await import("@/lib/chain/ledger");
  const { value, node } = await fromOwnNode(async (chain) => {
    const at = comparedBlock(books, await chain.blockNumber());
    return { ...at, reserves: await reservesAt(chain, exchange.contract as Address, at.block) };
  });
  return { ...value, node };
}
