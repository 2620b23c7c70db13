import { useState } from "react";
import type { OperatorDone, OperatorMarket } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import type { ChannelState } from "@/lib/stream/client";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Field } from "@/ui/Field";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { type Asked, Confirm } from "./Confirm";
import { operator } from "./client";
import { BoundsDialog, FeesDialog } from "./MarketRules";
import { useConsole } from "./session";
import { c, word } from "./texts";

const EVERY_MS = 3_000;
const TONES = { open: "good", auction: "warn", halted: "bad", delisted: "plain" } as const;

type Act = "halt" | "open" | "auction" | "fees" | "bounds";

/** The markets, and what halts them. */
export function Markets() {
  const { value, state, failed, again } = usePolled(operator.markets, EVERY_MS);
  const commands = useConsole((now) => now.session?.commands ?? false);
  const [asked, setAsked] = useState<{ readonly act: Act; readonly market: OperatorMarket } | null>(null);
  return (
    <Panel title={c("markets.title")} state={standing(state, value)} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && !value.live && <Failure>{c("markets.away")}</Failure>}
      {value && (
        <Table
          caption={c("markets.title")}
          testId="operator-markets"
          columns={columnsOf(commands, (act, market) => setAsked({ act, market }))}
          rows={value.markets}
          id={(market) => market.market_id}
        />
      )}
      {asked?.act === "fees" && (
        <FeesDialog market={asked.market} then={again} onClose={() => setAsked(null)} />
      )}
      {asked?.act === "bounds" && (
        <BoundsDialog market={asked.market} then={again} onClose={() => setAsked(null)} />
      )}
      {asked && asked.act !== "fees" && asked.act !== "bounds" && (
        <Change act={asked.act} market={asked.market} then={again} onClose={() => setAsked(null)} />
      )}
    </Panel>
  );
}

/** What the engine told last is not live while it is away, however fresh the answer that says so. */
export const standing = (state: ChannelState, value: { readonly live: boolean } | null): ChannelState =>
  state === "live" && value && !value.live ? "stale" : state;

/** A market that the chain halts may be halted here as well: then it stays so when the chain's own halt ends. */
export const mayHalt = ({ status, halted_on_chain }: OperatorMarket): boolean =>
  status !== "halted" || Boolean(halted_on_chain);

function columnsOf(
  commands: boolean,
  ask: (act: Act, market: OperatorMarket) => void,
): Column<OperatorMarket>[] {
  return [
    { name: c("markets.market"), cell: (market) => <bdi>{market.symbol}</bdi> },
    { name: c("markets.status"), cell: (market) => <Status market={market} /> },
    { name: c("markets.bounds"), cell: (market) => boundsOf(market) },
    {
      name: c("markets.actions"),
      quiet: true,
      cell: (market) =>
        commands &&
        market.status !== "delisted" && (
          <span className="flex justify-end gap-2">
            <Button size="small" onClick={() => ask("fees", market)}>
              {c("markets.fees", { market: market.symbol })}
            </Button>
            <Button size="small" onClick={() => ask("bounds", market)}>
              {c("markets.bound", { market: market.symbol })}
            </Button>
            {market.status !== "open" && (
              <Button size="small" onClick={() => ask("open", market)}>
                {c("markets.open", { market: market.symbol })}
              </Button>
            )}
            {market.status === "open" && (
              <Button size="small" onClick={() => ask("auction", market)}>
                {c("markets.auction", { market: market.symbol })}
              </Button>
            )}
            {mayHalt(market) && (
              <Button size="small" kind="danger" onClick={() => ask("halt", market)}>
                {c("markets.halt", { market: market.symbol })}
              </Button>
            )}
          </span>
        ),
    },
  ];
}

function Status({ market }: { readonly market: OperatorMarket }) {
  const ends = market.auction_ends_at;
  return (
    <span className="flex flex-wrap items-center gap-2">
      <Badge tone={TONES[market.status as keyof typeof TONES] ?? "plain"}>
        {word("market_status", market.status)}
      </Badge>
      {ends !== null && ends > 0 && (
        <span className="text-soft">{c("markets.until", { time: localDateTime(ends * 1_000) })}</span>
      )}
      {market.halted_on_chain && (
        <span className="text-warn">{c("markets.on_chain", { reason: market.halted_on_chain })}</span>
      )}
    </span>
  );
}

function boundsOf(market: OperatorMarket): string {
  const said = [
    market.collar_bps ? c("markets.collar", { bps: localNumber(`${market.collar_bps}`) }) : null,
    market.max_open_orders ? c("markets.max_open", { count: market.max_open_orders }) : null,
  ].filter((one) => one !== null);
  return said.join(", ") || c("markets.unbounded");
}

interface ChangeProps {
  readonly act: Exclude<Act, "fees" | "bounds">;
  readonly market: OperatorMarket;
  readonly then: () => void;
  readonly onClose: () => void;
}

function Change({ act, market, then, onClose }: ChangeProps) {
  const [minutes, setMinutes] = useState("5");
  const name = market.symbol;
  const seconds = /^\d{1,4}$/.test(minutes) ? Number(minutes) * 60 : null;
  const done = async (work: Promise<OperatorDone>) => {
    const answer = await work;
    then();
    return answer;
  };
  const choices: Record<ChangeProps["act"], Asked> = {
    halt: {
      title: c("markets.halt", { market: name }),
      effects: [c("markets.halt_1"), c("markets.halt_2"), c("markets.halt_3")],
      confirm: c("markets.halt", { market: name }),
      danger: true,
      run: (reason) => done(operator.halt(name, reason)),
    },
    open: {
      title: c("markets.open", { market: name }),
      effects: [c("markets.open_1"), c("markets.open_2")],
      confirm: c("markets.open", { market: name }),
      run: (reason) => done(operator.open(name, reason)),
    },
    auction: {
      title: c("markets.auction", { market: name }),
      effects: [c("markets.auction_1"), c("markets.auction_2")],
      confirm: c("markets.auction", { market: name }),
      ready: seconds !== null && seconds <= 86_400,
      fields: (
        <Field
          label={c("markets.minutes")}
          inputMode="numeric"
          value={minutes}
          onChange={setMinutes}
          hint={c("markets.minutes_hint")}
        />
      ),
      run: (reason) => done(operator.auction(name, seconds ?? 0, reason)),
    },
  };
  return <Confirm asked={choices[act]} onClose={onClose} />;
}
