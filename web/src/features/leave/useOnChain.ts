import { useEffect, useMemo, useState } from "react";
import { fromOwnNode, useWallet } from "@/features/wallet/store";
import { sentenceOf } from "@/lib/api/errors";
import type { Exchange } from "@/lib/api/types";
import type { Listing } from "@/lib/chain/deployment";
import type { PlainCall } from "@/lib/chain/leaving";
import type { AccountOnChain } from "@/lib/chain/ledger";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { type Polled, usePolled } from "@/lib/usePolled";
import { theLeft, useLeft } from "./left";

const EVERY_MS = 3_000;

export interface Found extends AccountOnChain {
  /** Who was asked. */
  readonly node: Told<unknown>["node"];
  /** Tokens of which the exchange has said something else than the contract. */
  readonly misnamed: readonly string[];
  /** Whether the chain has the known code where deposit addresses are made. */
  readonly knownFactory: boolean;
}

export interface OnChain extends Polled<Found> {
  /** The contract's clock in seconds, running on between two blocks. */
  readonly now: number;
}

/** What the contract has of an account, from the chain alone. */
export function useOnChain(account: Address | null): OnChain {
  const exchange = useLeft();
  const wallet = useWallet((state) => state.wallet);
  const named = exchange?.public_rpc_url;
  const read = useMemo(() => (exchange && account ? reader(exchange, account) : null), [exchange, account]);
  const polled = usePolled(named || wallet?.provider ? read : null, EVERY_MS);
  const [seen, setSeen] = useState({ at: 0, now: 0 });
  const time = polled.value?.now ?? 0;
  useEffect(() => setSeen({ at: Date.now(), now: time }), [time]);
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  const passed = seen.now ? Math.floor((Date.now() - seen.at) / 1_000) : 0;
  return { ...polled, now: seen.now + passed };
}

/** Reads an account. The tokens are the contract's own, whatever was said of them; they are read once. */
function reader(exchange: Exchange, account: Address): () => Promise<Found> {
  const custody = exchange.contract as Address;
  const factory = (exchange.deposit_addresses as Address | undefined) ?? null;
  const chainId = exchange.chain_id;
  let listed: Listing | null = null;
  let knownFactory: boolean | null = null;
  return async () => {
    const [{ accountOnChain }, { listing }, { isKnownFactory }] = await Promise.all([
      import("@/lib/chain/ledger"),
      import("@/lib/chain/deployment"),
      import("@/lib/chain/depositAddress"),
    ]);
    const { value, node } = await fromOwnNode(async (chain) => {
      listed ??= await listing(chain, custody, exchange.tokens);
      const found = await accountOnChain(chain, { custody, factory }, account, listed.tokens);
      // what cannot be read of it is not known yet, and no reason not to leave
      if (factory)
        knownFactory ??= await isKnownFactory(chain, { chainId, custody, factory }).catch(() => null);
      return { ...found, misnamed: listed.misnamed, knownFactory: knownFactory === true };
    }, exchange);
    return { ...value, node };
  };
}

export interface Sender {
  /** The command of the call that is on its way. */
  readonly sending: string | null;
  readonly failed: string | null;
  send(call: PlainCall): Promise<boolean>;
}

/** Sends calls of the connected wallet, one at a time, and waits until each is mined. */
export function useSender(then: () => void): Sender {
  const [sending, setSending] = useState<string | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const send = async (call: PlainCall) => {
    const { wallet } = useWallet.getState();
    if (!wallet) return false;
    const left = theLeft();
    setSending(call.command);
    setFailed(null);
    try {
      const hash = await wallet.signer.send(call, left.chain_id);
      await fromOwnNode((chain) => chain.mined(hash), left);
      then();
      return true;
    } catch (error) {
      setFailed(sentenceOf(error));
      return false;
    } finally {
      setSending(null);
    }
  };
  return { sending, failed, send };
}
