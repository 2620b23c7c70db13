import { useCallback, useEffect, useState } from "react";
import { useExchange } from "@/app/exchange";
import { fromOwnNode, useWallet } from "@/features/wallet/store";
import { sentenceOf } from "@/lib/api/errors";
import type { PlainCall } from "@/lib/chain/leaving";
import type { AccountOnChain } from "@/lib/chain/ledger";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { type Polled, usePolled } from "@/lib/usePolled";

const EVERY_MS = 3_000;

export interface OnChain extends Polled<AccountOnChain & { readonly node: Told<unknown>["node"] }> {
  /** The contract's clock in seconds, running on between two blocks. */
  readonly now: number;
}

/** What the contract has of an account, from the chain alone. */
export function useOnChain(account: Address | null): OnChain {
  const exchange = useExchange((known) => known.exchange);
  const wallet = useWallet((state) => state.wallet);
  const named = exchange?.public_rpc_url;
  const read = useCallback(async () => {
    if (!exchange || !account) throw new Error("nothing to look at");
    const { accountOnChain } = await import("@/lib/chain/ledger");
    const places = {
      custody: exchange.contract as Address,
      factory: exchange.deposit_addresses as Address,
    };
    const { value, node } = await fromOwnNode((chain) =>
      accountOnChain(chain, places, account, exchange.tokens),
    );
    return { ...value, node };
  }, [exchange, account]);
  const polled = usePolled(exchange && account && (named || wallet?.provider) ? read : null, EVERY_MS);
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
    setSending(call.command);
    setFailed(null);
    try {
      const hash = await wallet.signer.send(call);
      await fromOwnNode((chain) => chain.mined(hash));
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
