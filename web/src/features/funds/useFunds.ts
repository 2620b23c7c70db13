import { useCallback } from "react";
import { useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { Account, Outflow } from "@/lib/api/types";
import { type Polled, usePolled } from "@/lib/usePolled";
import { type Entry, remember } from "./history";

const EVERY_MS = 2_500;
const SHOWN = 100;

export interface Funds {
  readonly account: Account;
  readonly outflow: Outflow | null;
  readonly history: readonly Entry[];
}

/** The account's money and what came and went, from the mirror, which follows the chain through its reorganisations. */
export function useFunds(): Polled<Funds> {
  const session = useWallet((state) => state.session);
  const address = session?.address;
  const read = useCallback(async (): Promise<Funds> => {
    const [account, outflow, deposits, withdrawals] = await Promise.all([
      api.account(),
      api.outflow().catch(() => null),
      api.deposits({ limit: SHOWN }),
      api.withdrawals({ limit: SHOWN }),
    ]);
    return { account, outflow, history: remember(address ?? "", deposits, withdrawals) };
  }, [address]);
  return usePolled(session ? read : null, EVERY_MS);
}
