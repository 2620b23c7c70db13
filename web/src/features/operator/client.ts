/** The console's requests, each with its own session. */
import { api, query } from "@/lib/api/client";
import type * as T from "@/lib/api/types";
import { bearer } from "./session";

const read = <A>(path: string) => api.get<A>(`/v1/operator/${path}`, bearer());
const write = <A = T.OperatorDone>(path: string, body: object) =>
  api.post<A>(`/v1/operator/${path}`, body, bearer());

type Page = { before?: number | undefined; limit?: number | undefined };

export const operator = {
  markets: () => read<T.OperatorMarkets>("markets"),
  halt: (market: string, reason: string) => write(`markets/${market}/halt`, { reason }),
  open: (market: string, reason: string) => write(`markets/${market}/open`, { reason }),
  auction: (market: string, seconds: number, reason: string) =>
    write(`markets/${market}/auction`, { seconds, reason }),

  announcements: (page: Page) => read<T.OperatorAnnouncements>(`announcements${query(page)}`),
  announce: (said: T.PostAnnouncement) => write("announcements", said),
  withdraw: (id: number, reason: string) => write(`announcements/${id}/withdraw`, { reason }),

  log: (page: Page & { action?: string | undefined }) => read<T.OperatorLog>(`log${query(page)}`),
};
