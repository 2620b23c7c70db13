import { useCallback, useState } from "react";
import { askAnnouncements } from "@/app/announcements";
import { exchangeNow } from "@/app/exchange";
import type { OperatorAnnouncement, OperatorDone } from "@/lib/api/types";
import { LANGUAGES, localDateTime, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Field, Select } from "@/ui/Field";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Confirm, Lines } from "./Confirm";
import { operator } from "./client";
import { useConsole } from "./session";
import { Texts } from "./Texts";
import { c, word } from "./texts";

const EVERY_MS = 10_000;
const SHOWN = 50;
const HOUR_MS = 3_600_000;
const MAX_HOURS = 90 * 24;
const SEVERITIES = ["info", "warning", "critical"] as const;
const TONES = { info: "plain", warning: "warn", critical: "bad" } as const;

/** What everybody is told, and was. */
export function Announce() {
  const read = useCallback(() => operator.announcements({ limit: SHOWN }), []);
  const { value, state, failed, again } = usePolled(read, EVERY_MS);
  const commands = useConsole((now) => now.session?.commands ?? false);
  const [posting, setPosting] = useState(false);
  const [ending, setEnding] = useState<OperatorAnnouncement | null>(null);
  const then = async (work: Promise<OperatorDone>) => {
    const done = await work;
    again();
    void askAnnouncements();
    return done;
  };
  const post = commands && (
    <Button size="small" kind="primary" onClick={() => setPosting(true)}>
      {c("announce.post")}
    </Button>
  );
  return (
    <Panel title={c("announce.title")} state={state} end={post} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && !value.announcements.length && <Empty>{c("announce.none")}</Empty>}
      {value && value.announcements.length > 0 && (
        <Table
          caption={c("announce.title")}
          testId="operator-announcements"
          columns={columnsOf(value.server_time, commands ? setEnding : null)}
          rows={value.announcements}
          id={(one) => one.announcement_id}
        />
      )}
      {posting && <Post then={then} onClose={() => setPosting(false)} />}
      {ending && (
        <Confirm
          asked={{
            title: c("announce.withdraw", { number: ending.announcement_id }),
            effects: [c("announce.withdraw_1")],
            fields: <Texts texts={ending.texts} />,
            confirm: c("announce.withdraw", { number: ending.announcement_id }),
            run: (reason) => then(operator.withdraw(ending.announcement_id, reason)),
          }}
          onClose={() => setEnding(null)}
        />
      )}
    </Panel>
  );
}

function stateOf(one: OperatorAnnouncement, now: number): "withdrawn" | "over" | "coming" | "shown" {
  if (one.withdrawn_at !== null) return "withdrawn";
  if (one.until_ms <= now) return "over";
  return one.from_ms > now ? "coming" : "shown";
}

function columnsOf(
  now: number,
  end: ((one: OperatorAnnouncement) => void) | null,
): Column<OperatorAnnouncement>[] {
  return [
    { name: c("announce.number"), number: true, cell: (one) => one.announcement_id },
    {
      name: c("announce.severity"),
      cell: (one) => <Badge tone={TONES[one.severity]}>{word("severity", one.severity)}</Badge>,
    },
    {
      name: c("announce.text"),
      cell: (one) => <Texts texts={one.texts} />,
    },
    {
      name: c("announce.state"),
      cell: (one) => word("announce_state", stateOf(one, now)),
    },
    { name: c("announce.from"), cell: (one) => localDateTime(one.from_ms) },
    { name: c("announce.until"), cell: (one) => localDateTime(one.until_ms) },
    {
      name: c("markets.actions"),
      quiet: true,
      cell: (one) =>
        end &&
        ["shown", "coming"].includes(stateOf(one, now)) && (
          <Button size="small" onClick={() => end(one)}>
            {c("announce.withdraw", { number: one.announcement_id })}
          </Button>
        ),
    },
  ];
}

interface PostProps {
  readonly then: (work: Promise<OperatorDone>) => Promise<OperatorDone>;
  readonly onClose: () => void;
}

function Post({ then, onClose }: PostProps) {
  const [severity, setSeverity] = useState<(typeof SEVERITIES)[number]>("info");
  const [hours, setHours] = useState("24");
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({});
  const lasts = /^\d{1,4}$/.test(hours) && Number(hours) > 0 && Number(hours) <= MAX_HOURS;
  const written = Object.fromEntries(Object.entries(texts).filter(([, text]) => text.trim()));
  const fields = (
    <div className="flex flex-col gap-3">
      <Select
        label={c("announce.severity")}
        value={severity}
        onChange={(value) => setSeverity(value as typeof severity)}
        options={SEVERITIES.map((value) => ({ value, text: word("severity", value) }))}
      />
      <Field
        label={c("announce.hours")}
        inputMode="numeric"
        value={hours}
        onChange={setHours}
        error={lasts ? undefined : c("announce.hours_wrong", { hours: MAX_HOURS })}
      />
      {LANGUAGES.map(({ tag, name }) => (
        <Lines
          key={tag}
          label={c(tag === "en" ? "announce.text_needed" : "announce.text_in", { language: name })}
          lang={tag}
          value={texts[tag] ?? ""}
          onChange={(text) => setTexts((before) => ({ ...before, [tag]: text }))}
        />
      ))}
    </div>
  );
  return (
    <Confirm
      asked={{
        title: c("announce.post"),
        effects: [c("announce.post_1"), c("announce.post_2")],
        confirm: c("announce.post"),
        fields,
        ready: lasts && "en" in written,
        run: (reason) =>
          then(
            operator.announce({
              severity,
              texts: written,
              until_ms: Math.floor(exchangeNow()) + Number(hours) * HOUR_MS,
              reason,
            }),
          ),
      }}
      onClose={onClose}
    />
  );
}
