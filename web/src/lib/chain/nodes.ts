/** Which node of the chain is asked: the user's own before the one that the exchange names. */
import { type Chain, ChainRefused } from "./rpc";
import { Rejected } from "./signer";

export interface Node {
  readonly chain: Chain;
  readonly name: string;
  /** Named by the exchange, and so no witness against it. */
  readonly named: boolean;
}

/** What a node said, and which it was. */
export interface Told<V> {
  readonly value: V;
  readonly node: Pick<Node, "name" | "named">;
}

const REVERTED = 3;

/** What the first of `nodes` says that answers at all; a contract's no is an answer. */
export async function firstTold<V>(
  nodes: readonly Node[],
  read: (chain: Chain) => Promise<V>,
): Promise<Told<V>> {
  let last: unknown = new Error("there is no node of the chain to ask");
  for (const { chain, name, named } of nodes) {
    try {
      return { value: await read(chain), node: { name, named } };
    } catch (error) {
      if (error instanceof Rejected || (error instanceof ChainRefused && error.code === REVERTED))
        throw error;
      last = error;
    }
  }
  throw last;
}
