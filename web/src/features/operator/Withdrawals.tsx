import { useMemo, useState } from "react";
import { useExchange } from "@/app/exchange";
import { Asked } from "@/features/proof/Asked";
import { fromOwnNode, useAddress } from "@/features/wallet/store";
import type { Exchange, OperatorWithdrawal } from "@/lib/api/types";
import type { Judged, Verdict } from "@/lib/chain/approving";
import type { Told } from "@/lib/chain/nodes";
import { type Address, domainOf } from "@/lib/chain/typedData";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { tokenText } from "@/lib/money/amounts";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { operator } from "./client";
import { useConsole } from "./session";
import { type Sending, Transaction } from "./Transaction";
import { c } from "./texts";

const EVERY_MS = 4_000;

type Row = Judged<OperatorWithdrawal>;

/** Withdrawals above their limits; an approver lets one go with a transaction of its own. */
export function Withdrawals() {
  const exchange = useExchange((known) => known.exchange);
  const read = useMemo(() => (exchange ? () => judged(exchange) : null), [exchange]);
  const { value, state, failed, again } = usePolled(read, EVERY_MS);
  const approver = useConsole((now) => now.session?.roles.includes("approver") ?? false);
  const address = useAddress();
  const [sending, setSending] = useState<Sending | null>(null);
  const approve = async ({ row, token }: Row) => {
    if (!exchange || !address) return;
    const { approvalCall } = await import("@/lib/chain/approving");
    const { account = "" } = row.message;
    const recipient = row.message.recipient ?? c("withdrawals.funding");
    setSending({
      title: c("withdrawals.approve"),
      effects: [
        c("withdrawals.approve_1", { account, amount: amountOf({ row, token }), recipient }),
        c("withdrawals.approve_2", { needed: localNumber(`${row.needed}`) }),
        c("withdrawals.approve_3"),
      ],
      call: approvalCall(exchange.contract as Address, row, address),
    });
  };
  return (
    <Panel title={c("withdrawals.title")} state={state} className={FRAME}>
      {failed && <Failure>{failed}</Failure>}
      {!value && !failed && <Loading label={t("loading")} />}
      {value && !value.rows.length && <Empty>{c("withdrawals.none")}</Empty>}
      {value && value.rows.length > 0 && (
        <>
          <Rows rows={value.rows} mine={address} approve={approver ? (row) => void approve(row) : null} />
          {value.node && (
            <div className="p-3">
              <Asked node={value.node} contract={exchange?.contract} />
            </div>
          )}
        </>
      )}
      {value && !approver && <p className="p-3 text-xs text-soft">{c("withdrawals.not_yours")}</p>}
      {sending && <Transaction sending={sending} then={again} onClose={() => setSending(null)} />}
    </Panel>
  );
}

interface Found {
  readonly rows: readonly Row[];
  /** Who was asked; null when nobody answered. */
  readonly node: Told<unknown>["node"] | null;
}

/** What waits, each held against its hash, its signature and the contract's own tokens before it is shown. */
async function judged(exchange: Exchange): Promise<Found> {
  const [{ withdrawals }, { judgeAll }, { listing }] = await Promise.all([
    operator.withdrawals(),
    import("@/lib/chain/approving"),
    import("@/lib/chain/deployment"),
  ]);
  const domain = domainOf(exchange);
  if (!withdrawals.length) return { rows: [], node: null };
  const told = await fromOwnNode(async (chain) => {
    const { tokens } = await listing(chain, exchange.contract as Address, exchange.tokens);
    return judgeAll(chain, domain, tokens, withdrawals);
  }).catch(() => null);
  if (told) return { rows: told.value, node: told.node };
  return { rows: await judgeAll(null, domain, null, withdrawals), node: null };
}

/** As the account signed it; token units where the token is not known. */
function amountOf({ row, token }: Pick<Row, "row" | "token">): string {
  const { amount = "0", token: address = "" } = row.message;
  return token && isWhole(amount)
    ? `${tokenText(BigInt(amount), token)} ${token.symbol}`
    : `${amount} · ${address}`;
}

/** A time in seconds as the account signed it; what is none, as it stands. */
const timeOf = (seconds = ""): string =>
  isWhole(seconds) && seconds.length < 12 ? localDateTime(Number(seconds) * 1_000) : seconds;

const isWhole = (text: string): boolean => /^\d+$/.test(text);

interface RowsProps {
  readonly rows: readonly Row[];
  readonly mine: Address | null;
  readonly approve: ((row: Row) => void) | null;
}

/** Everything here but the count of approvals is the message's own. */
export function Rows({ rows, mine, approve }: RowsProps) {
  const columns: Column<Row>[] = [
    { name: c("withdrawals.account"), cell: ({ row }) => <Copied text={row.message.account ?? ""} /> },
    { name: c("withdrawals.amount"), number: true, cell: amountOf },
    {
      name: c("withdrawals.recipient"),
      cell: ({ row }) =>
        row.message.recipient ? <Copied text={row.message.recipient} /> : c("withdrawals.funding"),
    },
    {
      name: c("withdrawals.until"),
      cell: ({ row }) => timeOf(row.message.deadline),
    },
    {
      name: c("withdrawals.given"),
      number: true,
      cell: ({ row }) => `${localNumber(`${row.given_by.length}`)} / ${localNumber(`${row.needed}`)}`,
    },
    { name: c("withdrawals.checked"), cell: ({ verdict }) => <Checked verdict={verdict} /> },
    {
      name: c("markets.actions"),
      quiet: true,
      cell: (one) =>
        approve &&
        TONES[one.verdict] !== undefined &&
        (one.row.given_by.some((by) => by === mine) ? (
          c("withdrawals.yours_given")
        ) : (
          <Button size="small" onClick={() => approve(one)}>
            {c("withdrawals.approve")}
          </Button>
        )),
    },
  ];
  return (
    <Table
      caption={c("withdrawals.title")}
      testId="operator-withdrawals"
      columns={columns}
      rows={rows}
      id={(one) => `${one.row.withdrawal_hash}:${rows.indexOf(one)}`}
    />
  );
}

/** Those that can be approved; every other verdict is bad. */
const TONES: Partial<Record<Verdict, "good" | "warn">> = { key: "good", code: "warn" };

function Checked({ verdict }: { readonly verdict: Verdict }) {
  return <Badge tone={TONES[verdict] ?? "bad"}>{c(`verdict.${verdict}`)}</Badge>;
}
