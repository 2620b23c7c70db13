import { useState } from "react";
import type { Fill } from "@/lib/api/types";
import { type Key, localDateTime, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { Empty } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useAccount } from "./account";
import { SideText, useUnitsById } from "./cells";

const STEPS = ["matched", "submitted", "settled", "final"] as const;

/** Fills, each with how far its settlement is and the transaction that settled it. */
export function FillsTable() {
  const fills = useAccount((account) => account.fills);
  const units = useUnitsById();
  const columns: Column<Fill>[] = [
    { name: t("orders.market"), cell: (fill) => units(fill.market)?.symbol },
    { name: t("form.side"), cell: (fill) => <SideText side={fill.side} /> },
    {
      name: t("form.price"),
      number: true,
      cell: (fill) => localNumber(units(fill.market)?.price(BigInt(fill.price)) ?? fill.price),
    },
    {
      name: t("form.amount"),
      number: true,
      cell: (fill) => localNumber(units(fill.market)?.quantity(BigInt(fill.quantity)) ?? fill.quantity),
    },
    {
      name: t("orders.fee"),
      number: true,
      cell: (fill) => {
        const market = units(fill.market);
        return market
          ? `${localNumber(trimmed(BigInt(fill.fee), market.quote.decimals))} ${market.quote.symbol}`
          : fill.fee;
      },
    },
    { name: t("orders.settlement"), cell: (fill) => <Settlement fill={fill} /> },
    { name: t("orders.transaction"), cell: (fill) => <Transaction hash={fill.tx_hash} /> },
    { name: t("orders.time"), cell: (fill) => localDateTime(fill.at) },
  ];
  if (!fills.length) return <Empty>{t("orders.none_filled")}</Empty>;
  return (
    <Table
      caption={t("orders.fills")}
      testId="fills"
      columns={columns}
      rows={fills}
      id={(fill) => `${fill.trade_id}-${fill.role}`}
    />
  );
}

/** Matched, submitted, settled, final: as words and as a bar of four. */
export function Settlement({
  fill,
}: {
  readonly fill: Pick<Fill, "status" | "reversed_because" | "block_number">;
}) {
  if (fill.status === "reversed")
    return (
      <span className="text-sell" title={fill.reversed_because ?? ""}>
        {t("settlement.reversed")}
      </span>
    );
  const place = STEPS.indexOf(fill.status);
  const title = fill.block_number
    ? t("settlement.block", { block: fill.block_number })
    : t(`settlement.hint.${fill.status}` as Key);
  return (
    <span className="inline-flex items-center gap-2" title={title} data-settlement={fill.status}>
      <span aria-hidden="true" className="flex gap-0.5">
        {STEPS.map((step, at) => (
          <span
            key={step}
            className={`h-1.5 w-3 rounded-full ${at <= place ? (place >= 2 ? "bg-buy" : "bg-warn") : "bg-line"}`}
          />
        ))}
      </span>
      {t(`settlement.${fill.status}` as Key)}
    </span>
  );
}

/** A transaction's hash, short, copied whole by a click. */
export function Transaction({ hash }: { readonly hash: string | null }) {
  const [copied, setCopied] = useState(false);
  if (!hash) return <span className="text-soft">–</span>;
  const copy = () => void navigator.clipboard?.writeText(hash).then(() => setCopied(true));
  return (
    <button type="button" onClick={copy} title={hash} data-tx={hash} className="font-mono hover:text-accent">
      {copied ? t("copied") : `${hash.slice(0, 8)}…${hash.slice(-6)}`}
    </button>
  );
}
