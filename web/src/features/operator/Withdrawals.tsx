import { useEffect, useState } from "react";
import { useExchange } from "@/app/exchange";
import { useAddress } from "@/features/wallet/store";
import type { OperatorWithdrawal } from "@/lib/api/types";
import type { Verdict } from "@/lib/chain/approving";
import { type Address, domainOf } from "@/lib/chain/typedData";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { ledgerText } from "@/lib/money/amounts";
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

/** Withdrawals above their limits; an approver lets one go with a transaction of its own. */
export function Withdrawals() {
  const { value, state, failed, again } = usePolled(operator.withdrawals, EVERY_MS);
  const approver = useConsole((now) => now.session?.roles.includes("approver") ?? false);
  const address = useAddress();
  const exchange = useExchange((known) => known.exchange);
  const [sending, setSending] = useState<Sending | null>(null);
  const approve = async (row: OperatorWithdrawal) => {
    if (!exchange || !address) return;
    const { approvalCall } = await import("@/lib/chain/approving");
    const asset = exchange.assets.find((one) => one.asset_id === row.asset_id);
    const amount = asset ? `${ledgerText(BigInt(row.amount), asset)} ${asset.symbol}` : row.amount;
    const recipient = row.message.recipient ?? c("withdrawals.funding");
    setSending({
      title: c("withdrawals.approve"),
      effects: [
        c("withdrawals.approve_1", { account: row.account, amount, recipient }),
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
      {value && !value.withdrawals.length && <Empty>{c("withdrawals.none")}</Empty>}
      {value && value.withdrawals.length > 0 && (
        <Rows
          rows={value.withdrawals}
          mine={address}
          approve={approver ? (row) => void approve(row) : null}
        />
      )}
      {value && !approver && <p className="p-3 text-xs text-soft">{c("withdrawals.not_yours")}</p>}
      {sending && <Transaction sending={sending} then={again} onClose={() => setSending(null)} />}
    </Panel>
  );
}

/** What came out of holding each message against its hash and signature, by hash. */
function useVerdicts(rows: readonly OperatorWithdrawal[]): Readonly<Record<string, Verdict>> {
  const exchange = useExchange((known) => known.exchange);
  const [verdicts, setVerdicts] = useState<Readonly<Record<string, Verdict>>>({});
  useEffect(() => {
    if (!exchange) return;
    let over = false;
    const look = async () => {
      const { judge } = await import("@/lib/chain/approving");
      const found = await Promise.all(
        rows.map(async (row) => [row.withdrawal_hash, await judge(domainOf(exchange), row)] as const),
      );
      if (!over) setVerdicts(Object.fromEntries(found));
    };
    void look();
    return () => {
      over = true;
    };
  }, [rows, exchange]);
  return verdicts;
}

interface RowsProps {
  readonly rows: readonly OperatorWithdrawal[];
  readonly mine: Address | null;
  readonly approve: ((row: OperatorWithdrawal) => void) | null;
}

function Rows({ rows, mine, approve }: RowsProps) {
  const assets = useExchange((known) => known.exchange?.assets ?? []);
  const verdicts = useVerdicts(rows);
  const good = (row: OperatorWithdrawal) => ["key", "code"].includes(verdicts[row.withdrawal_hash] ?? "");
  const columns: Column<OperatorWithdrawal>[] = [
    { name: c("withdrawals.account"), cell: (row) => <Copied text={row.account} /> },
    {
      name: c("withdrawals.amount"),
      number: true,
      cell: (row) => {
        const asset = assets.find((one) => one.asset_id === row.asset_id);
        return asset ? `${ledgerText(BigInt(row.amount), asset)} ${asset.symbol}` : row.amount;
      },
    },
    {
      name: c("withdrawals.recipient"),
      cell: (row) =>
        row.message.recipient ? <Copied text={row.message.recipient} /> : c("withdrawals.funding"),
    },
    { name: c("withdrawals.until"), cell: (row) => localDateTime(row.deadline * 1_000) },
    {
      name: c("withdrawals.given"),
      number: true,
      cell: (row) => `${localNumber(`${row.given_by.length}`)} / ${localNumber(`${row.needed}`)}`,
    },
    { name: c("withdrawals.checked"), cell: (row) => <Checked verdict={verdicts[row.withdrawal_hash]} /> },
    {
      name: c("markets.actions"),
      quiet: true,
      cell: (row) =>
        approve &&
        good(row) &&
        (row.given_by.some((by) => by === mine) ? (
          c("withdrawals.yours_given")
        ) : (
          <Button size="small" onClick={() => approve(row)}>
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
      id={(row) => row.withdrawal_hash}
    />
  );
}

function Checked({ verdict }: { readonly verdict: Verdict | undefined }) {
  if (!verdict) return <Badge tone="plain">{t("loading")}</Badge>;
  const tone = verdict === "key" ? "good" : verdict === "code" ? "warn" : "bad";
  return <Badge tone={tone}>{c(`verdict.${verdict}`)}</Badge>;
}
