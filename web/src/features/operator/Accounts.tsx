import { type FormEvent, useCallback, useState } from "react";
import { useExchange } from "@/app/exchange";
import { Balances } from "@/features/funds/Balances";
import type { OperatorAccount, OperatorDone } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge, Fact, Facts } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { Field } from "@/ui/Field";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { Table } from "@/ui/Table";
import { LimitsDialog, LimitsSaid, NotKnown } from "./AccountLimits";
import { type Asked, Confirm } from "./Confirm";
import { operator } from "./client";
import { useConsole } from "./session";
import { c, word } from "./texts";

const EVERY_MS = 4_000;
const SHOWN = 50;
const BEGINNING = /^0x[0-9a-fA-F]{0,40}$/;
const WHOLE = /^0x[0-9a-fA-F]{40}$/;

/** Accounts by how their address begins; one of them, with what may be done to it. */
export function Accounts() {
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const good = typed === "" || BEGINNING.test(typed);
  const read = useCallback(
    () => operator.accounts({ address: good && typed ? typed : "0x", limit: SHOWN }),
    [typed, good],
  );
  const { value, state, failed } = usePolled(read, EVERY_MS);
  const search = (event: FormEvent) => {
    event.preventDefault();
    if (WHOLE.test(typed)) setChosen(typed);
    else if (value?.accounts.length === 1) setChosen(value.accounts[0]?.account ?? null);
  };
  return (
    <>
      <form onSubmit={search} className="flex flex-wrap items-start gap-2">
        <Field
          label={c("accounts.search")}
          dir="ltr"
          value={typed}
          onChange={setTyped}
          placeholder="0x…"
          error={good ? undefined : c("accounts.search_wrong")}
          className="w-full max-w-xl"
        />
        <Button type="submit" className="h-10">
          {c("accounts.look")}
        </Button>
      </form>
      {chosen && <One key={chosen} address={chosen} />}
      <Panel title={c("accounts.title")} state={state} className={FRAME}>
        {failed && <Failure>{failed}</Failure>}
        {!value && !failed && <Loading label={t("loading")} />}
        {value && !value.accounts.length && <Empty>{c("accounts.none")}</Empty>}
        {value && value.accounts.length > 0 && (
          <Table
            caption={c("accounts.title")}
            testId="operator-accounts"
            columns={[
              { name: c("accounts.account"), cell: (row) => <Copied text={row.account} whole /> },
              { name: c("markets.status"), cell: (row) => word("account_status", row.status) },
              {
                name: c("markets.actions"),
                quiet: true,
                cell: (row) => (
                  <Button size="small" onClick={() => setChosen(row.account)}>
                    {c("accounts.look")}
                  </Button>
                ),
              },
            ]}
            rows={value.accounts}
            id={(row) => row.account}
          />
        )}
      </Panel>
    </>
  );
}

type Act = "stop" | "resume" | "tier" | "limits";

function One({ address }: { readonly address: string }) {
  const read = useCallback(() => operator.account(address), [address]);
  const { value, state, failed, again } = usePolled(read, EVERY_MS);
  const commands = useConsole((now) => now.session?.commands ?? false);
  const [act, setAct] = useState<Act | null>(null);
  const known = value && value.account.status !== "unknown";
  const stopped = value?.account.brakes?.trading_stopped_by_operator ?? false;
  const actions = commands && known && (
    <>
      <Button size="small" onClick={() => setAct("limits")}>
        {c("accounts.limits_set")}
      </Button>
      <Button size="small" onClick={() => setAct("tier")}>
        {c("accounts.tier_set")}
      </Button>
      <Button
        size="small"
        kind={stopped ? "plain" : "danger"}
        onClick={() => setAct(stopped ? "resume" : "stop")}
      >
        {c(stopped ? "accounts.resume" : "accounts.stop")}
      </Button>
    </>
  );
  return (
    <Panel title={c("accounts.one")} state={state} end={actions} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && <Detail detail={value} />}
      {value && <Balances account={value.account} state={state} failed={null} />}
      {value && act === "limits" && (
        <LimitsDialog account={value.account} then={again} onClose={() => setAct(null)} />
      )}
      {act && act !== "limits" && (
        <Change act={act} address={address} then={again} onClose={() => setAct(null)} />
      )}
    </Panel>
  );
}

function Detail({ detail }: { readonly detail: OperatorAccount }) {
  const exchange = useExchange((known) => known.exchange);
  const { account, open_orders, tiers, log } = detail;
  const symbol = (id: string) => exchange?.markets.find((one) => `${one.market_id}` === id)?.symbol ?? id;
  const open = Object.entries(open_orders).map(([id, count]) => `${symbol(id)}: ${localNumber(`${count}`)}`);
  const tier = tiers.at(-1);
  const last = log[0];
  return (
    <div className="flex flex-col gap-3 p-3">
      <Copied text={account.account} whole />
      <Facts>
        <Fact name={c("markets.status")}>{word("account_status", account.status)}</Fact>
        <Fact name={c("accounts.trading")}>
          <Stops detail={detail} />
        </Fact>
        <Fact name={c("accounts.open")}>
          <bdi data-testid="open-orders-count">{open.join(", ") || localNumber("0")}</bdi>
        </Fact>
        <Fact name={c("accounts.limits")}>
          <LimitsSaid account={account} />
        </Fact>
        <Fact name={c("accounts.tier")}>{localNumber(`${tier?.tier ?? 0}`)}</Fact>
        {last && (
          <Fact name={c("accounts.last")}>
            {word("action", last.action)}, {localDateTime(last.at)}
          </Fact>
        )}
      </Facts>
    </div>
  );
}

function Stops({ detail }: { readonly detail: OperatorAccount }) {
  const brakes = detail.account.brakes;
  if (!brakes) return <NotKnown />;
  if (brakes.trading_stopped_by_operator)
    return <Badge tone="bad">{c("accounts.stopped_by_operator")}</Badge>;
  if (brakes.trading_stopped_by_owner) return <Badge tone="warn">{c("accounts.stopped_by_owner")}</Badge>;
  return <Badge tone="good">{c("market_status.open")}</Badge>;
}

interface ChangeProps {
  readonly act: Exclude<Act, "limits">;
  readonly address: string;
  readonly then: () => void;
  readonly onClose: () => void;
}

function Change({ act, address, then, onClose }: ChangeProps) {
  const [tier, setTier] = useState("1");
  const [hours, setHours] = useState("0");
  const numbers =
    /^\d{1,2}$/.test(tier) && Number(tier) < 16 && /^\d{1,4}$/.test(hours) && Number(hours) <= 2_160;
  const done = async (work: Promise<OperatorDone>) => {
    const answer = await work;
    then();
    return answer;
  };
  const choices: Record<ChangeProps["act"], Asked> = {
    stop: {
      title: c("accounts.stop"),
      effects: [c("accounts.stop_1"), c("accounts.stop_2")],
      confirm: c("accounts.stop"),
      danger: true,
      run: (reason) => done(operator.stopAccount(address, reason)),
    },
    resume: {
      title: c("accounts.resume"),
      effects: [c("accounts.resume_1")],
      confirm: c("accounts.resume"),
      run: (reason) => done(operator.resumeAccount(address, reason)),
    },
    tier: {
      title: c("accounts.tier_set"),
      effects: [c("accounts.tier_1"), c("accounts.tier_2")],
      confirm: c("accounts.tier_set"),
      ready: numbers,
      fields: (
        <div className="flex flex-col gap-2">
          <Field label={c("accounts.tier")} inputMode="numeric" value={tier} onChange={setTier} />
          <Field label={c("markets.after_hours")} inputMode="numeric" value={hours} onChange={setHours} />
        </div>
      ),
      run: (reason) => done(operator.setTier(address, Number(tier), Number(hours) * 3_600, reason)),
    },
  };
  return <Confirm asked={choices[act]} onClose={onClose} />;
}
