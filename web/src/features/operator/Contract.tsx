import { useCallback, useEffect, useState } from "react";
import { useExchange } from "@/app/exchange";
import { fromOwnNode } from "@/features/wallet/store";
import type { Exchange } from "@/lib/api/types";
import type { ContractState } from "@/lib/chain/governing";
import type { PlainCall } from "@/lib/chain/plainCall";
import type { Address } from "@/lib/chain/typedData";
import { localDateTime, t } from "@/lib/i18n";
import { spanText } from "@/lib/span";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge, Fact, Facts } from "@/ui/Card";
import { Field, Select } from "@/ui/Field";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { useConsole } from "./session";
import { type Sending, Transaction } from "./Transaction";
import { c } from "./texts";

const EVERY_MS = 4_000;
const governing = () => import("@/lib/chain/governing");

/** What the contract says of itself, and the calls of its guardian and its owner: transactions of their own wallets. */
export function Contract() {
  const exchange = useExchange((known) => known.exchange);
  const custody = exchange?.contract as Address | undefined;
  const roles = useConsole((now) => now.session?.roles);
  const read = useCallback(async () => {
    const { contractState } = await governing();
    if (!custody) throw new Error("the exchange is not known yet");
    return (await fromOwnNode((chain) => contractState(chain, custody))).value;
  }, [custody]);
  const { value, state, failed, again } = usePolled(custody ? read : null, EVERY_MS);
  const [sending, setSending] = useState<Sending | null>(null);
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title={c("contract.title")} state={state} className={FRAME}>
        {failed && <Failure>{failed}</Failure>}
        {!value && !failed && <Loading label={t("loading")} />}
        {value && <State state={value} />}
      </Panel>
      {exchange && value && (
        <div className="flex flex-col gap-4">
          <Guardian
            exchange={exchange}
            state={value}
            may={roles?.includes("guardian") ?? false}
            ask={setSending}
          />
          <Owner exchange={exchange} state={value} may={roles?.includes("owner") ?? false} ask={setSending} />
        </div>
      )}
      {sending && <Transaction sending={sending} then={again} onClose={() => setSending(null)} />}
    </div>
  );
}

function State({ state }: { readonly state: ContractState }) {
  const paused = state.pausedUntil > state.now;
  const tone = state.frozen ? "bad" : paused ? "warn" : "good";
  const said = state.frozen ? "contract.frozen" : paused ? "contract.paused" : "contract.open";
  return (
    <div className="p-3">
      <Facts>
        <Fact name={c("markets.status")}>
          <Badge tone={tone}>{c(said)}</Badge>
        </Fact>
        {paused && <Fact name={c("contract.paused_until")}>{localDateTime(state.pausedUntil * 1_000)}</Fact>}
        <Fact name={c("contract.next_pause")}>
          {state.pauseReadyAt > state.now ? localDateTime(state.pauseReadyAt * 1_000) : c("contract.at_once")}
        </Fact>
        <Fact name={c("contract.last_seen")}>{localDateTime(state.lastSeen * 1_000)}</Fact>
        <Fact name={c("contract.timelock_on")}>
          {c(state.launched ? "contract.binds" : "contract.not_launched")}
        </Fact>
      </Facts>
    </div>
  );
}

interface PartProps {
  readonly exchange: Exchange;
  readonly state: ContractState;
  readonly may: boolean;
  readonly ask: (sending: Sending) => void;
}

function Guardian({ exchange, state, may, ask }: PartProps) {
  const [minutes, setMinutes] = useState("1");
  const most = Math.floor(exchange.windows.pause_max / 60);
  const seconds = /^\d{1,6}$/.test(minutes) ? Number(minutes) * 60 : 0;
  const good = seconds > 0 && seconds <= exchange.windows.pause_max;
  const custody = exchange.contract as Address;
  const send = async (name: "pause" | "unpause" | "remove_operator", effects: string[], danger = false) => {
    const { governingCall } = await governing();
    const call = governingCall(custody, name, name === "pause" ? [BigInt(seconds)] : []);
    ask({ title: c(`contract.${name}`), effects, call, danger });
  };
  return (
    <Panel title={c("contract.guardian")} className={FRAME}>
      <div className="flex flex-col items-start gap-3 p-3">
        {!may && <p className="text-soft">{c("contract.guardian_only")}</p>}
        <Field
          label={c("markets.minutes")}
          inputMode="numeric"
          value={minutes}
          onChange={setMinutes}
          error={good ? undefined : c("contract.minutes_wrong", { minutes: most })}
        />
        <span className="flex flex-wrap gap-2">
          <Button
            disabled={!may || !good}
            onClick={() =>
              void send("pause", [
                c("contract.pause_1"),
                c("contract.pause_2", { span: spanText(seconds) }),
                c("contract.pause_3"),
              ])
            }
          >
            {c("contract.pause")}
          </Button>
          <Button
            disabled={!may || state.pausedUntil <= state.now}
            onClick={() => void send("unpause", [c("contract.unpause_1")])}
          >
            {c("contract.unpause")}
          </Button>
          <Button
            kind="danger"
            disabled={!may}
            onClick={() =>
              void send("remove_operator", [c("contract.remove_1"), c("contract.remove_2")], true)
            }
          >
            {c("contract.remove_operator")}
          </Button>
        </span>
      </div>
    </Panel>
  );
}

type Choice = "halt" | "open" | "list";

function Owner({ exchange, state, may, ask }: PartProps) {
  const [choice, setChoice] = useState<Choice>("halt");
  const [market, setMarket] = useState(`${exchange.markets[0]?.market_id ?? ""}`);
  const [base, setBase] = useState(`${exchange.tokens[0]?.token_id ?? ""}`);
  const [quote, setQuote] = useState(`${exchange.tokens[1]?.token_id ?? ""}`);
  const [lot, setLot] = useState("1");
  const good = choice !== "list" || (base !== quote && /^[1-9]\d{0,18}$/.test(lot));
  const call = useOwnersCall(exchange, choice, good, { market, base, quote, lot });
  const tokens = exchange.tokens.map((token) => ({ value: `${token.token_id}`, text: token.symbol }));
  return (
    <Panel title={c("contract.owner")} className={FRAME}>
      <div className="flex flex-col items-start gap-3 p-3">
        {!may && <p className="text-soft">{c("contract.owner_only")}</p>}
        <Select
          label={c("contract.call")}
          value={choice}
          onChange={(value) => setChoice(value as Choice)}
          options={(["halt", "open", "list"] as const).map((value) => ({
            value,
            text: c(`contract.call_${value}`),
          }))}
        />
        {choice === "list" ? (
          <>
            <Select label={c("contract.base")} value={base} onChange={setBase} options={tokens} />
            <Select label={c("contract.quote")} value={quote} onChange={setQuote} options={tokens} />
            <Field
              label={c("contract.lot")}
              inputMode="numeric"
              value={lot}
              onChange={setLot}
              error={good ? undefined : c("contract.lot_wrong")}
            />
          </>
        ) : (
          <Select
            label={c("markets.market")}
            value={market}
            onChange={setMarket}
            options={exchange.markets.map((one) => ({ value: `${one.market_id}`, text: one.symbol }))}
          />
        )}
        {call && (
          <Announced exchange={exchange} state={state} may={may} ask={ask} call={call} choice={choice} />
        )}
      </div>
    </Panel>
  );
}

interface Values {
  readonly market: string;
  readonly base: string;
  readonly quote: string;
  readonly lot: string;
}

/** The owner's call as it is chosen; null until it is complete. */
function useOwnersCall(exchange: Exchange, choice: Choice, good: boolean, values: Values): PlainCall | null {
  const { market, base, quote, lot } = values;
  const [call, setCall] = useState<PlainCall | null>(null);
  useEffect(() => {
    let over = false;
    setCall(null);
    if (!good) return;
    void governing().then(({ governingCall }) => {
      if (over) return;
      const custody = exchange.contract as Address;
      setCall(
        choice === "list"
          ? governingCall(custody, "list_market", [BigInt(base), BigInt(quote), BigInt(lot)])
          : governingCall(custody, "set_market_status", [BigInt(market), choice === "halt"]),
      );
    });
    return () => {
      over = true;
    };
  }, [exchange, choice, good, market, base, quote, lot]);
  return call;
}

/** An owner's call is announced first, and made once the timelock has passed. */
function Announced({
  exchange,
  state,
  may,
  ask,
  call,
  choice,
}: PartProps & { readonly call: PlainCall; readonly choice: Choice }) {
  const custody = exchange.contract as Address;
  const read = useCallback(async () => {
    const { operationOf, readyAt } = await governing();
    return (await fromOwnNode((chain) => readyAt(chain, custody, operationOf(call)))).value;
  }, [custody, call]);
  const { value: ready, failed } = usePolled(read, EVERY_MS);
  const { timelock, delay } = exchange.windows;
  const announce = async (name: "schedule" | "unschedule") => {
    const { governingCall, operationOf } = await governing();
    const effects =
      name === "schedule"
        ? [
            c("contract.schedule_1", { call: `${call.signature}: ${call.args.join(", ")}` }),
            c("contract.schedule_2", { span: spanText(timelock) }),
          ]
        : [c("contract.unschedule_1")];
    ask({ title: c(`contract.${name}`), effects, call: governingCall(custody, name, [operationOf(call)]) });
  };
  const make = () =>
    ask({
      title: c(`contract.call_${choice}`),
      effects: [c(`contract.call_${choice}_1`, { span: spanText(delay) })],
      call,
      danger: choice === "halt",
    });
  if (ready === null) return failed ? <Failure>{failed}</Failure> : <Loading label={t("loading")} rows={1} />;
  const waits = ready > state.now;
  const due = !state.launched || (ready > 0 && !waits);
  return (
    <>
      <p className="text-soft">
        {due
          ? c("contract.due")
          : waits
            ? c("contract.waits", { time: localDateTime(ready * 1_000) })
            : c("contract.unannounced", { span: spanText(timelock) })}
      </p>
      <span className="flex flex-wrap gap-2">
        {state.launched && (
          <Button disabled={!may} onClick={() => void announce(ready > 0 ? "unschedule" : "schedule")}>
            {c(ready > 0 ? "contract.unschedule" : "contract.schedule")}
          </Button>
        )}
        <Button kind="primary" disabled={!may || !due} onClick={make}>
          {c(`contract.call_${choice}`)}
        </Button>
      </span>
    </>
  );
}
