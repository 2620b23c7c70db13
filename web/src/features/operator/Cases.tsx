import { useCallback, useState } from "react";
import { useExchange } from "@/app/exchange";
import type { OperatorCase } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge, Fact, Facts } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { Dialog } from "@/ui/Dialog";
import { Select } from "@/ui/Field";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Confirm } from "./Confirm";
import { operator } from "./client";
import { useConsole } from "./session";
import { c, word } from "./texts";

const EVERY_MS = 10_000;
const SHOWN = 50;
const PATTERNS = ["wash_trades", "round_trips", "layering", "momentum_ignition", "self_trades"] as const;
const VERDICTS = ["no_abuse", "watch", "abuse"] as const;
const TONES = { no_abuse: "good", watch: "warn", abuse: "bad" } as const;

/** What surveillance found, and what came out of looking at it. */
export function Cases() {
  const [pattern, setPattern] = useState("");
  const [before, setBefore] = useState<number | undefined>(undefined);
  const read = useCallback(
    () => operator.cases({ pattern: pattern || undefined, before, limit: SHOWN }),
    [pattern, before],
  );
  const { value, state, failed, again } = usePolled(read, EVERY_MS);
  const [looked, setLooked] = useState<OperatorCase | null>(null);
  const [reviewed, setReviewed] = useState<OperatorCase | null>(null);
  const commands = useConsole((now) => now.session?.commands ?? false);
  const filter = (
    <Select
      label={c("cases.pattern")}
      value={pattern}
      onChange={(chosen) => {
        setBefore(undefined);
        setPattern(chosen);
      }}
      options={[
        { value: "", text: c("jobs.all") },
        ...PATTERNS.map((one) => ({ value: one, text: c(`pattern.${one}`) })),
      ]}
    />
  );
  return (
    <Panel title={c("cases.title")} state={state} end={filter} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && !value.cases.length && <Empty>{c("cases.none")}</Empty>}
      {value && value.cases.length > 0 && (
        <Table
          caption={c("cases.title")}
          testId="operator-cases"
          columns={columnsOf(setLooked, commands ? setReviewed : null)}
          rows={value.cases}
          id={(one) => one.case_id}
        />
      )}
      {value?.next_before != null && (
        <div className="border-t border-line p-3 text-end">
          <Button size="small" onClick={() => setBefore(value.next_before ?? undefined)}>
            {c("log.older")}
          </Button>
        </div>
      )}
      {looked && <Detail one={looked} onClose={() => setLooked(null)} />}
      {reviewed && <Reviewing one={reviewed} then={again} onClose={() => setReviewed(null)} />}
    </Panel>
  );
}

function columnsOf(
  look: (one: OperatorCase) => void,
  review: ((one: OperatorCase) => void) | null,
): Column<OperatorCase>[] {
  return [
    { name: c("log.number"), number: true, cell: (one) => one.case_id },
    { name: c("cases.pattern"), cell: (one) => word("pattern", one.pattern) },
    { name: c("markets.market"), cell: (one) => <Market id={one.market} /> },
    {
      name: c("cases.accounts"),
      cell: (one) => (
        <span className="flex gap-2">
          {one.accounts.slice(0, 3).map((account) => (
            <Copied key={account} text={account} />
          ))}
        </span>
      ),
    },
    { name: c("cases.ended"), cell: (one) => localDateTime(one.ended_at) },
    {
      name: c("cases.review"),
      cell: (one) =>
        one.review ? (
          <Badge tone={TONES[one.review.verdict]}>{c(`verdict.${one.review.verdict}`)}</Badge>
        ) : (
          <span className="text-soft">{c("cases.unseen")}</span>
        ),
    },
    {
      name: c("markets.actions"),
      quiet: true,
      cell: (one) => (
        <span className="flex justify-end gap-2">
          <Button size="small" onClick={() => look(one)}>
            {c("cases.look", { number: one.case_id })}
          </Button>
          {review && (
            <Button size="small" onClick={() => review(one)}>
              {c("cases.mark", { number: one.case_id })}
            </Button>
          )}
        </span>
      ),
    },
  ];
}

function Market({ id }: { readonly id: number }) {
  const exchange = useExchange((known) => known.exchange);
  return <bdi>{exchange?.markets.find((one) => one.market_id === id)?.symbol ?? id}</bdi>;
}

function Detail({ one, onClose }: { readonly one: OperatorCase; readonly onClose: () => void }) {
  return (
    <Dialog title={c("cases.look", { number: one.case_id })} onClose={onClose} wide>
      <p lang="en" dir="ltr">
        {one.text}
      </p>
      <Facts>
        <Fact name={c("cases.pattern")}>{word("pattern", one.pattern)}</Fact>
        <Fact name={c("markets.market")}>
          <Market id={one.market} />
        </Fact>
        <Fact name={c("cases.began")}>{localDateTime(one.began_at)}</Fact>
        <Fact name={c("cases.ended")}>{localDateTime(one.ended_at)}</Fact>
        <Fact name={c("cases.records")}>
          {localNumber(`${one.first_seq}`)} – {localNumber(`${one.last_seq}`)}
        </Fact>
        {Object.entries(one.figures).map(([name, figure]) => (
          <Fact key={name} name={<bdi lang="en">{name}</bdi>}>
            {localNumber(`${figure}`)}
          </Fact>
        ))}
      </Facts>
      <ul className="flex flex-col gap-1">
        {one.accounts.map((account) => (
          <li key={account}>
            <Copied text={account} whole />
          </li>
        ))}
      </ul>
      <p dir="ltr" className="break-words font-mono text-xs text-soft">
        {one.evidence.join(" ")}
      </p>
      {one.review && (
        <p dir="auto">
          {c(`verdict.${one.review.verdict}`)}: {one.review.reason}
        </p>
      )}
      <p className="text-xs text-soft">{c("cases.proves_nothing")}</p>
    </Dialog>
  );
}

interface ReviewingProps {
  readonly one: OperatorCase;
  readonly then: () => void;
  readonly onClose: () => void;
}

function Reviewing({ one, then, onClose }: ReviewingProps) {
  const [verdict, setVerdict] = useState<(typeof VERDICTS)[number]>("no_abuse");
  return (
    <Confirm
      asked={{
        title: c("cases.mark", { number: one.case_id }),
        effects: [c("cases.mark_1"), c("cases.mark_2")],
        confirm: c("cases.mark", { number: one.case_id }),
        fields: (
          <Select
            label={c("cases.verdict")}
            value={verdict}
            onChange={(value) => setVerdict(value as typeof verdict)}
            options={VERDICTS.map((value) => ({ value, text: c(`verdict.${value}`) }))}
          />
        ),
        run: async (reason) => {
          const done = await operator.review(one.case_id, verdict, reason);
          then();
          return done;
        },
      }}
      onClose={onClose}
    />
  );
}
