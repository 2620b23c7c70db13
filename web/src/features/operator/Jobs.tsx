import { useCallback, useState } from "react";
import type { OperatorDuty, OperatorJob } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { usePolled } from "@/lib/usePolled";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Segments } from "@/ui/Segments";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { operator } from "./client";
import { c, word } from "./texts";

const EVERY_MS = 4_000;
const SHOWN = 50;
const WEI_DECIMALS = 18;
const CHOICES = ["all", "live", "stuck", "retried", "failed"] as const;

const coins = (wei: string): string => localNumber(trimmed(BigInt(wei), WEI_DECIMALS));

/** What the keepers have to get mined, what is stuck, and what it costs. */
export function Jobs() {
  const [show, setShow] = useState<(typeof CHOICES)[number]>("all");
  const read = useCallback(() => operator.jobs({ show, limit: SHOWN }), [show]);
  const { value, state, failed } = usePolled(read, EVERY_MS);
  const choice = (
    <Segments
      small
      label={c("jobs.show")}
      value={show}
      onChange={setShow}
      options={CHOICES.map((one) => ({ value: one, text: c(`jobs.${one}`) }))}
    />
  );
  return (
    <>
      <Panel title={c("jobs.duties")} state={state} className={FRAME}>
        {failed && <Failure>{failed}</Failure>}
        {!value && !failed && <Loading label={t("loading")} />}
        {value && (
          <Table
            caption={c("jobs.duties")}
            columns={dutyColumns()}
            rows={value.duties}
            id={(row) => `${row.duty}${row.sender}`}
          />
        )}
      </Panel>
      <Panel title={c("jobs.title")} state={state} end={choice} className={FRAME}>
        {value && !value.jobs.length && <Empty>{c("jobs.none")}</Empty>}
        {value && value.jobs.length > 0 && (
          <Table
            caption={c("jobs.title")}
            testId="operator-jobs"
            columns={jobColumns()}
            rows={value.jobs}
            id={(job) => job.job_id}
          />
        )}
      </Panel>
    </>
  );
}

function dutyColumns(): Column<OperatorDuty>[] {
  return [
    { name: c("jobs.duty"), cell: (row) => <bdi>{row.duty}</bdi> },
    { name: c("jobs.sender"), cell: (row) => <Copied text={row.sender} /> },
    { name: c("jobs.waiting"), number: true, cell: (row) => localNumber(`${row.waiting}`) },
    { name: c("jobs.stuck"), number: true, cell: (row) => localNumber(`${row.stuck}`) },
    { name: c("jobs.day_cost"), number: true, cell: (row) => coins(row.day_cost_wei) },
  ];
}

function jobColumns(): Column<OperatorJob>[] {
  return [
    { name: c("log.number"), number: true, cell: (job) => job.job_id },
    { name: c("jobs.duty"), cell: (job) => <bdi>{job.duty}</bdi> },
    { name: c("jobs.state"), cell: (job) => <State job={job} /> },
    { name: c("jobs.attempts"), number: true, cell: (job) => localNumber(`${job.attempts}`) },
    { name: c("jobs.cost"), number: true, cell: (job) => coins(job.cost_wei) },
    { name: c("jobs.transaction"), cell: (job) => (job.tx_hash ? <Copied text={job.tx_hash} /> : "–") },
    { name: c("jobs.changed"), cell: (job) => localDateTime(job.updated_at) },
  ];
}

function State({ job }: { readonly job: OperatorJob }) {
  const failed = job.succeeded === false || job.state === "cancelled";
  const tone = job.stuck ? "warn" : failed ? "bad" : job.state === "final" ? "good" : "plain";
  return (
    <Badge tone={tone}>{job.stuck ? c("jobs.stuck") : word("job", failed ? "failed" : job.state)}</Badge>
  );
}
