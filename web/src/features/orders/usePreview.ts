import { useEffect, useState } from "react";
import { useAddress } from "@/features/wallet/store";
import { sentenceOf } from "@/lib/api/errors";
import type { Preview } from "@/lib/api/types";
import type { Meant } from "./draft";
import { previewOf } from "./place";

const TYPING_MS = 200;
/** The book moves, so what the order would meet is asked again. */
const AGAIN_MS = 2_000;

/** What the exchange says that the order would pay and meet now, or why it would refuse it. */
export function usePreview(
  meant: Meant | null,
  market: number,
): { preview: Preview | null; refused: string | null } {
  const address = useAddress();
  const [answer, setAnswer] = useState<{ preview: Preview | null; refused: string | null }>({
    preview: null,
    refused: null,
  });
  const key = meant ? [meant.side, meant.price, meant.quantity, meant.triggerPrice, meant.terms].join() : "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` is what of the order the answer depends on
  useEffect(() => {
    if (!meant || !address) {
      setAnswer({ preview: null, refused: null });
      return;
    }
    let current = true;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      const next = await previewOf(meant, address, market).then(
        (preview) => ({ preview, refused: null }),
        (error) => ({ preview: null, refused: sentenceOf(error) }),
      );
      if (!current) return;
      setAnswer(next);
      timer = setTimeout(() => void ask(), AGAIN_MS);
    };
    timer = setTimeout(() => void ask(), TYPING_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [key, address, market]);
  return answer;
}
