/** The app's one connection to the exchange, and what the user is told about it. */
import { create } from "zustand";
import { type Connection, type Socket, Stream } from "@/lib/stream/client";

interface Link {
  readonly connection: Connection;
  /** When it was lost; null while it is not. */
  readonly lostAt: number | null;
  /** Times that a channel had to be asked for anew, because a message was missing. */
  readonly resyncs: number;
  readonly lastResync: { readonly channel: string; readonly at: number } | null;
}

export const useLink = create<Link>(() => ({
  connection: "connecting",
  lostAt: null,
  resyncs: 0,
  lastResync: null,
}));

let onLogin: (ok: boolean) => void = () => undefined;

export const stream = new Stream({
  open: () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return new WebSocket(`${scheme}://${location.host}/v1/stream`) as unknown as Socket;
  },
  onConnection: (connection) => {
    const { lostAt } = useLink.getState();
    if (connection === "lost") useLink.setState({ connection, lostAt: lostAt ?? Date.now() });
    else if (connection === "open") useLink.setState({ connection, lostAt: null });
    else useLink.setState({ connection });
  },
  onResync: (channel) =>
    useLink.setState((now) => ({ resyncs: now.resyncs + 1, lastResync: { channel, at: Date.now() } })),
  onLogin: (ok) => onLogin(ok),
});

/** The wallet's store is told whether its session was taken. */
export function whenLoggedIn(told: (ok: boolean) => void): void {
  onLogin = told;
}
