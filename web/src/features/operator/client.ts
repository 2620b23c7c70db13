/** The console's requests, each with its own session. */
import { api, query } from "@/lib/api/client";
import { Unreachable } from "@/lib/api/errors";
import type * as T from "@/lib/api/types";
import { bearer } from "./session";
import { c } from "./texts";

const read = <A>(path: string) => api.get<A>(`/v1/operator/${path}`, bearer());
const write = <A = T.OperatorDone>(path: string, body: object) =>
  api.post<A>(`/v1/operator/${path}`, body, bearer()).catch((error: unknown) => {
    if (error instanceof Unreachable) throw new Unreachable(`${error.message}. ${c("confirm.unsure")}`);
    throw error;
  });

type Page = { before?: number | undefined; limit?: number | undefined };

export const operator = {
  markets: () => read<T.OperatorMarkets>("markets"),
  halt: (market: string, reason: string) => write(`markets/${market}/halt`, { reason }),
  open: (market: string, reason: string) => write(`markets/${market}/open`, { reason }),
  auction: (market: string, seconds: number, reason: string) =>
    write(`markets/${market}/auction`, { seconds, reason }),

  bounds: (market: string, bounds: T.OperatorBounds) => write(`markets/${market}/bounds`, bounds),
  fees: (market: string, fees: T.OperatorFees) => write(`markets/${market}/fees`, fees),

  health: () => read<T.OperatorHealth>("health"),
  withdrawals: () => read<T.OperatorWithdrawals>("withdrawals"),
  jobs: (page: Page & { show?: string }) => read<T.OperatorJobs>(`jobs${query(page)}`),

  accounts: (page: Page & { address?: string }) => read<T.OperatorAccounts>(`accounts${query(page)}`),
  account: (address: string) => read<T.OperatorAccount>(`accounts/${address}`),
  stopAccount: (address: string, reason: string) => write(`accounts/${address}/stop`, { reason }),
  resumeAccount: (address: string, reason: string) => write(`accounts/${address}/resume`, { reason }),
  setLimits: (address: string, limits: T.OperatorLimits) => write(`accounts/${address}/limits`, limits),
  setTier: (address: string, tier: number, after_seconds: number, reason: string) =>
    write(`accounts/${address}/tier`, { tier, after_seconds, reason }),

  cases: (page: Page & { pattern?: string | undefined }) => read<T.OperatorCases>(`cases${query(page)}`),
  review: (id: number, verdict: string, reason: string) => write(`cases/${id}/review`, { verdict, reason }),

  announcements: (page: Page) => read<T.OperatorAnnouncements>(`announcements${query(page)}`),
  announce: (said: T.PostAnnouncement) => write("announcements", said),
  withdraw: (id: number, reason: string) => write(`announcements/${id}/withdraw`, { reason }),

  log: (page: Page & { action?: string | undefined }) => read<T.OperatorLog>(`log${query(page)}`),
};
