import { useCallback, useState } from "react";
import type { OperatorEntry, OperatorLog } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { operator } from "./client";
import { Texts, textsOf } from "./Texts";
import { c, OUTCOME_TONES, word } from "./texts";

const EVERY_MS = 5_000;
const SHOWN = 50;

/** What operators did, and what became of it. */
export function Log() {
  const [before, setBefore] = useState<number | undefined>(undefined);
  const read = useCallback(() => operator.log({ before, limit: SHOWN }), [before]);
  const { value, state, failed } = usePolled(read, EVERY_MS);
  return (
    <Panel title={c("log.title")} state={state} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && !value.log.length && <Empty>{c("log.none")}</Empty>}
      {value && value.log.length > 0 && <Rows page={value} />}
      {value && (
        <div className="flex flex-wrap items-center gap-3 border-t border-line p-3 text-xs text-soft">
          <span>{c("log.head", { count: localNumber(`${value.entries}`) })}</span>
          <Copied text={value.head} />
          <span className="ms-auto flex gap-2">
            {before !== undefined && (
              <Button size="small" onClick={() => setBefore(undefined)}>
                {c("log.latest")}
              </Button>
            )}
            {value.next_before !== null && (
              <Button size="small" onClick={() => setBefore(value.next_before ?? undefined)}>
                {c("log.older")}
              </Button>
            )}
          </span>
        </div>
      )}
    </Panel>
  );
}

function Rows({ page }: { readonly page: OperatorLog }) {
  const columns: Column<OperatorEntry>[] = [
    { name: c("log.number"), number: true, cell: (entry) => entry.entry_id },
    { name: c("log.at"), cell: (entry) => localDateTime(entry.at) },
    {
      name: c("log.who"),
      cell: (entry) => (entry.operator ? <Copied text={entry.operator} /> : c("log.machine")),
    },
    { name: c("log.action"), cell: (entry) => word("action", entry.action) },
    { name: c("log.subject"), cell: (entry) => <Subject text={entry.subject} /> },
    { name: c("log.outcome"), cell: (entry) => <Outcome entry={entry} /> },
    {
      name: c("log.reason"),
      cell: (entry) => <Why entry={entry} />,
    },
    { name: c("log.hash"), cell: (entry) => <Copied text={entry.hash} /> },
  ];
  return (
    <Table
      caption={c("log.title")}
      testId="operator-log"
      columns={columns}
      rows={page.log}
      id={(entry) => entry.entry_id}
    />
  );
}

/** Why it was done; of an announcement also what it says, in every language. */
export function Why({ entry }: { readonly entry: OperatorEntry }) {
  const texts = textsOf(entry.details);
  return (
    <>
      <span dir="auto" className="block min-w-48 whitespace-normal">
        {entry.reason || (entry.follows === null ? "" : c("log.follows", { number: entry.follows }))}
      </span>
      {texts && <Texts texts={texts} />}
    </>
  );
}

function Subject({ text }: { readonly text: string }) {
  return text.startsWith("0x") ? <Copied text={text} /> : <bdi>{text}</bdi>;
}

function Outcome({ entry }: { readonly entry: OperatorEntry }) {
  const { seq, message } = entry.details as { seq?: number; message?: string };
  return (
    <span className="flex items-center gap-2">
      <Badge tone={OUTCOME_TONES[entry.outcome]}>{word("outcome", entry.outcome)}</Badge>
      {seq !== undefined && <span className="text-soft">{c("log.seq", { seq: localNumber(`${seq}`) })}</span>}
      {entry.outcome === "refused" && message && (
        <span className="whitespace-normal text-soft">{message}</span>
      )}
    </span>
  );
}
