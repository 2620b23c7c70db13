import { useEffect, useRef, useState } from "react";
import { useAddress } from "@/features/wallet/store";
import { sentenceOf } from "@/lib/api/errors";
import type { Preview } from "@/lib/api/types";
import type { Meant } from "./draft";
import { previewKey } from "./feeCap";
import { previewOf } from "./place";

const TYPING_MS = 200;
/** The book moves, so what the order would meet is asked again. */
const AGAIN_MS = 2_000;

interface Answer {
  readonly preview: Preview | null;
  readonly refused: string | null;
}

const NONE: Answer = { preview: null, refused: null };

/** What the exchange says that the order would pay and meet now, or why it would refuse it; of no other order than this. */
export function usePreview(meant: Meant | null, market: number): Answer {
  const address = useAddress();
  const [answer, setAnswer] = useState<Answer & { readonly key: string }>({ ...NONE, key: "" });
  const latest = useRef(meant);
  latest.current = meant;
  const key = meant && address ? `${address},${market},${previewKey(meant)}` : "";
  useEffect(() => {
    if (!key || !address) return;
    let current = true;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      const now = latest.current;
      if (!now) return;
      const next = await previewOf(now, address, market).then(
        (preview) => ({ preview, refused: null }),
        (error) => ({ preview: null, refused: sentenceOf(error) }),
      );
      if (!current) return;
      setAnswer({ ...next, key });
      timer = setTimeout(() => void ask(), AGAIN_MS);
    };
    timer = setTimeout(() => void ask(), TYPING_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [key, address, market]);
  return key && answer.key === key ? answer : NONE;
}
