import { useCallback, useState } from "react";
import { sentenceOf } from "@/lib/api/errors";

export interface Action {
  readonly busy: boolean;
  /** What went wrong the last time, in the exchange's, the chain's or the wallet's words. */
  readonly failed: string | null;
  /** Whether it went well; the same function at every rendering. */
  run(work: () => Promise<unknown>): Promise<boolean>;
  clear(): void;
}

/** Something that the user starts, which takes a while and may fail. */
export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setFailed(null);
    try {
      await work();
      return true;
    } catch (error) {
      setFailed(sentenceOf(error));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, failed, clear: () => setFailed(null), run };
}
