import type { OperatorHealth } from "@/lib/api/types";
import { localNumber, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Badge, Fact, Facts } from "@/ui/Card";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { Table } from "@/ui/Table";
import { operator } from "./client";
import { c, word } from "./texts";

const EVERY_MS = 3_000;
const TONES = { ok: "good", not_ready: "warn", away: "bad" } as const;

/** How every process is, how far everything is, what differs and what is halted. */
export function Health() {
  const { value, state, failed } = usePolled(operator.health, EVERY_MS);
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title={c("health.services")} state={state} className={FRAME}>
        {failed && <Failure>{failed}</Failure>}
        {!value && !failed && <Loading label={t("loading")} />}
        {value && <Services health={value} />}
      </Panel>
      <Panel title={c("health.state")} state={state} className={FRAME}>
        {!value && <Loading label={t("loading")} />}
        {value && <State health={value} />}
      </Panel>
    </div>
  );
}

function Services({ health }: { readonly health: OperatorHealth }) {
  return (
    <Table
      caption={c("health.services")}
      testId="operator-services"
      columns={[
        { name: c("health.service"), cell: (one) => <bdi>{one.name}</bdi> },
        {
          name: c("markets.status"),
          cell: (one) => <Badge tone={TONES[one.state]}>{word("service", one.state)}</Badge>,
        },
        {
          name: c("health.reason"),
          cell: (one) => <span className="whitespace-normal">{one.reason ?? "–"}</span>,
        },
      ]}
      rows={health.services}
      id={(one) => one.name}
    />
  );
}

function State({ health }: { readonly health: OperatorHealth }) {
  const { status, not_open } = health;
  const number = (value: number | null) => (value === null ? "–" : localNumber(`${value}`));
  const problems = Object.values(status.problems);
  return (
    <div className="flex flex-col gap-3 p-3">
      {problems.map((problem) => (
        <Failure key={problem}>{problem}</Failure>
      ))}
      <Facts>
        <Fact name={c("health.block")}>{number(status.block)}</Fact>
        <Fact name={c("health.indexed")}>{number(status.indexed_block)}</Fact>
        <Fact name={c("health.final")}>{number(status.finalized_block)}</Fact>
        <Fact name={c("health.engine")}>{number(status.engine_seq)}</Fact>
        <Fact name={c("health.projected")}>{number(status.journal_seq)}</Fact>
        <Fact name={c("health.published")}>
          {c("health.seconds", { seconds: number(status.publication_lag_seconds) })}
        </Fact>
        <Fact name={c("health.batches")}>
          {[status.batches, status.batches_settled, status.batches_final].map(number).join(" / ")}
        </Fact>
        <Fact name={c("health.mismatches")} strong={status.mismatches > 0}>
          {number(status.mismatches)}
        </Fact>
        <Fact name={c("health.given_up")} strong={status.withdrawals_given_up > 0}>
          {number(status.withdrawals_given_up)}
        </Fact>
        <Fact name={c("health.not_open")} strong={not_open.length > 0}>
          <bdi>{not_open.join(", ") || c("markets.unbounded")}</bdi>
        </Fact>
      </Facts>
    </div>
  );
}
