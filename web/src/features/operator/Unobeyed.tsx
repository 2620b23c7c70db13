import { useCallback } from "react";
import type { OperatorDone, OperatorEntry } from "@/lib/api/types";
import { usePolled } from "@/lib/usePolled";
import { Badge } from "@/ui/Card";
import { operator } from "./client";
import { c, OUTCOME_TONES, word } from "./texts";

const EVERY_MS = 3_000;
const LOOKED_AT = 100;

/** Whether nothing has been obeyed yet: the engine has the command, and has not answered. */
export const isUnobeyed = (done: Pick<OperatorDone, "outcome">): boolean => done.outcome === "asked";

/** What became of an entry, once the log says it. */
export function becameOf(log: readonly OperatorEntry[], id: number): OperatorEntry | null {
  return log.find((entry) => entry.follows === id) ?? null;
}

/** A command that the engine has and does not answer; and what becomes of it, as the log has it. */
export function Unobeyed({ entry }: { readonly entry: number }) {
  const read = useCallback(
    async () => becameOf((await operator.log({ limit: LOOKED_AT })).log, entry),
    [entry],
  );
  const { value } = usePolled(read, EVERY_MS);
  return <Became entry={entry} now={value} />;
}

export function Became({ entry, now }: { readonly entry: number; readonly now: OperatorEntry | null }) {
  const { message } = (now?.details ?? {}) as { message?: string };
  return (
    <div role="status" className="flex flex-col gap-1 rounded-md border border-warn p-3">
      {now ? (
        <p className="flex flex-wrap items-center gap-2">
          {c("confirm.became", { number: entry })}
          <Badge tone={OUTCOME_TONES[now.outcome]}>{word("outcome", now.outcome)}</Badge>
          {now.outcome === "refused" && message}
        </p>
      ) : (
        <>
          <p className="font-semibold text-warn">{c("confirm.unobeyed")}</p>
          <p>{c("confirm.unobeyed_1", { number: entry })}</p>
        </>
      )}
    </div>
  );
}
