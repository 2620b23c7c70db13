import { useCallback } from "react";
import { useExchange } from "@/app/exchange";
import { fromOwnNode } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { BatchFees } from "@/lib/api/types";
import type { SettledBatch } from "@/lib/chain/ledger";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { type Key, localNumber, t } from "@/lib/i18n";
import { usePolled } from "@/lib/usePolled";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Asked } from "./Asked";
import { useHasNode } from "./useReserves";

const EVERY_MS = 4_000;
const SHOWN = 10;

interface Row {
  readonly batch: BatchFees;
  /** What the chain has of it; undefined when nobody could be asked. */
  readonly chain: SettledBatch | null | undefined;
  /** Whether it begins where the batch before it ended; null when that is not among those shown. */
  readonly follows: boolean | null;
}

/** The last batches, with the heads of the journal as their transactions on chain have them. */
export function Batches() {
  const custody = useExchange((known) => known.exchange?.contract);
  const hasNode = useHasNode();
  const read = useCallback(async () => {
    const { batches } = await api.batches({ limit: SHOWN });
    const told = await Promise.all(batches.map((batch) => onChain(batch, hasNode ? custody : undefined)));
    const rows = batches.map((batch, at): Row => {
      const before = told[at + 1]?.value;
      const mine = told[at]?.value;
      return { batch, chain: mine, follows: mine && before ? mine.prevHead === before.newHead : null };
    });
    return { rows, nodes: nodesOf(told) };
  }, [custody, hasNode]);
  const { value, state, failed } = usePolled(custody ? read : null, EVERY_MS);
  return (
    <Panel title={t("batches.title")} state={state} className={FRAME}>
      {failed && !value && (
        <div className="p-3">
          <Failure>{failed}</Failure>
        </div>
      )}
      {value?.nodes.map((node) => (
        <div key={node.name} className="px-3 py-2">
          <Asked node={node} contract={custody} />
        </div>
      ))}
      {value && (value.rows.length ? <Rows rows={value.rows} /> : <Empty>{t("batches.none")}</Empty>)}
      {!value && !failed && <Loading label={t("loading")} />}
      <p className="border-t border-line p-3 text-xs text-soft">{t("batches.explain")}</p>
    </Panel>
  );
}

async function onChain(
  batch: BatchFees,
  custody: string | undefined,
): Promise<Told<SettledBatch | null> | undefined> {
  if (!custody || !batch.tx_hash) return undefined;
  const { batchIn } = await import("@/lib/chain/ledger");
  const hash = batch.tx_hash;
  return fromOwnNode((chain) => batchIn(chain, custody as Address, hash, batch.batch));
}

/** Every node that was asked: another one answers where the first does not. */
function nodesOf(told: readonly (Told<unknown> | undefined)[]): Told<unknown>["node"][] {
  const nodes = new Map(told.flatMap((one) => (one ? [[one.node.name, one.node] as const] : [])));
  return [...nodes.values()];
}

function Rows({ rows }: { readonly rows: readonly Row[] }) {
  const columns: Column<Row>[] = [
    { name: t("batches.number"), cell: (row) => localNumber(`${row.batch.batch}`) },
    { name: t("batches.trades"), number: true, cell: (row) => localNumber(`${row.batch.trades}`) },
    { name: t("batches.state"), cell: (row) => t(`batches.${row.batch.status}` as Key) },
    { name: t("batches.head"), cell: (row) => (row.chain ? <Copied text={row.chain.newHead} /> : "–") },
    {
      name: t("batches.transaction"),
      cell: (row) => (row.batch.tx_hash ? <Copied text={row.batch.tx_hash} /> : "–"),
    },
    {
      name: t("batches.block"),
      number: true,
      cell: (row) => (row.batch.block_number === null ? "–" : localNumber(`${row.batch.block_number}`)),
    },
    { name: t("batches.checked"), cell: (row) => <Checked row={row} /> },
  ];
  return (
    <Table
      caption={t("batches.title")}
      testId="batches"
      columns={columns}
      rows={rows}
      id={(row) => row.batch.batch}
    />
  );
}

function Checked({ row }: { readonly row: Row }) {
  if (row.chain === undefined) return <span className="text-soft">–</span>;
  if (row.chain === null) return <Badge tone="bad">{t("batches.missing")}</Badge>;
  if (row.follows === false) return <Badge tone="bad">{t("batches.broken")}</Badge>;
  return <Badge tone="good">{t(row.follows ? "batches.follows" : "batches.there")}</Badge>;
}
