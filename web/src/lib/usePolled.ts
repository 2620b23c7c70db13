import { useCallback, useEffect, useRef, useState } from "react";
import { sentenceOf } from "@/lib/api/errors";
import type { ChannelState } from "@/lib/stream/client";

export interface Polled<A> {
  readonly value: A | null;
  /** `live` only while the last answer came: what is older looks so. */
  readonly state: ChannelState;
  /** Why the last answer did not come. */
  readonly failed: string | null;
  /** Read again at once. */
  again(): void;
}

const HIDDEN_SLOWER = 4;

/** What `read` says, again and again; anew from nothing when `read` changes. Null reads nothing. */
export function usePolled<A>(read: (() => Promise<A>) | null, everyMs: number): Polled<A> {
  const [answer, setAnswer] = useState<Omit<Polled<A>, "again">>({
    value: null,
    state: "syncing",
    failed: null,
  });
  const now = useRef<() => void>(() => undefined);
  useEffect(() => {
    setAnswer({ value: null, state: "syncing", failed: null });
    if (!read) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let turn = 0;
    let over = false;
    const look = async () => {
      clearTimeout(timer);
      const mine = ++turn;
      try {
        const value = await read();
        if (mine === turn && !over) setAnswer({ value, state: "live", failed: null });
      } catch (error) {
        if (mine === turn && !over)
          setAnswer((before) => ({ value: before.value, state: "stale", failed: sentenceOf(error) }));
      }
      if (mine === turn && !over)
        timer = setTimeout(look, document.hidden ? everyMs * HIDDEN_SLOWER : everyMs);
    };
    now.current = () => void look();
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
      now.current = () => undefined;
    };
  }, [read, everyMs]);
  const again = useCallback(() => now.current(), []);
  return { ...answer, again };
}
