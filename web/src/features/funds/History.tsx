import { useExchange } from "@/app/exchange";
import { localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { save } from "@/lib/save";
import type { ChannelState } from "@/lib/stream/client";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { csvOf, type Entry } from "./history";

interface HistoryProps {
  readonly entries: readonly Entry[] | null;
  readonly state: ChannelState;
  /** Why the last look failed. */
  readonly failed: string | null;
}

/** What came and went, and how far each is on chain. */
export function History({ entries, state, failed }: HistoryProps) {
  const nameOf = useNames();
  const csv = () =>
    entries &&
    save(
      "history.csv",
      "text/csv",
      csvOf(entries, nameOf, (key) => t(key, { number: "" })),
    );
  const columns: Column<Entry>[] = [
    { name: t("history.what"), cell: (entry) => t(entry.what) },
    {
      name: t("history.amount"),
      number: true,
      cell: (entry) => {
        const { text, symbol } = nameOf(entry);
        return `${{ in: "+", out: "−", within: "" }[entry.way]}${localNumber(text)} ${symbol}`;
      },
    },
    {
      name: t("history.status"),
      cell: (entry) => <Badge tone={entry.tone}>{t(entry.status, entry.params)}</Badge>,
    },
    {
      name: t("history.block"),
      number: true,
      cell: (entry) => (entry.block === null ? "–" : localNumber(`${entry.block}`)),
    },
    {
      name: t("history.transaction"),
      cell: (entry) => (entry.txHash ? <Copied text={entry.txHash} /> : "–"),
    },
  ];
  const end = (
    <Button size="small" disabled={!entries?.length} onClick={csv}>
      {t("history.csv")}
    </Button>
  );
  return (
    <Panel title={t("history.title")} state={state} end={end} className={FRAME}>
      {failed && !entries && (
        <div className="p-3">
          <Failure>{failed}</Failure>
        </div>
      )}
      {!entries && !failed && <Loading label={t("loading")} />}
      {entries?.length === 0 && <Empty>{t("history.none")}</Empty>}
      {entries && entries.length > 0 && (
        <Table
          caption={t("history.title")}
          testId="history"
          columns={columns}
          rows={entries}
          id={(entry) => entry.id}
        />
      )}
    </Panel>
  );
}

/** An entry's asset, and its amount as plain decimal text. */
function useNames(): (entry: Entry) => { symbol: string; text: string } {
  const exchange = useExchange((known) => known.exchange);
  return (entry) => {
    const token = exchange?.tokens.find((one) => one.token_id === entry.tokenId);
    const assetId = entry.assetId ?? token?.asset_id;
    const asset = exchange?.assets.find((one) => one.asset_id === assetId);
    return {
      symbol: asset?.symbol ?? "?",
      text: asset ? trimmed(entry.amount, asset.decimals) : `${entry.amount}`,
    };
  };
}
