import { useCallback, useEffect, useState } from "react";
import { api } from "@/lib/api/client";
import { sentenceOf } from "@/lib/api/errors";
import type { Order } from "@/lib/api/types";
import { type Key, localDateTime, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { Button } from "@/ui/Button";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useAccount } from "./account";
import { SideText, useUnitsById } from "./cells";

const PAGE = 50;
/** The mirror follows the stream by a moment. */
const MIRROR_MS = 400;

/** Orders that are closed, latest first, and why. */
export function HistoryTable() {
  const closed = useAccount((account) => account.closed);
  const [orders, setOrders] = useState<readonly Order[] | null>(null);
  const [next, setNext] = useState<number | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const units = useUnitsById();

  const load = useCallback(async (before?: number) => {
    try {
      const page = await api.orders({ limit: PAGE, before });
      const rows = page.orders.filter((order) => order.status !== "open");
      setOrders((known) => (before ? [...(known ?? []), ...rows] : rows));
      setNext(page.next_before);
      setFailed(null);
    } catch (error) {
      setFailed(sentenceOf(error));
    }
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each order that closes is a reason to look again
  useEffect(() => {
    const timer = setTimeout(() => void load(), orders === null ? 0 : MIRROR_MS);
    return () => clearTimeout(timer);
  }, [closed, load]);

  const amount = (order: Order, value: string) => {
    const market = units(order.market);
    if (!market) return value;
    return localNumber(
      order.side === "buy_quote"
        ? trimmed(BigInt(value), market.quote.decimals)
        : market.quantity(BigInt(value)),
    );
  };
  const columns: Column<Order>[] = [
    { name: t("orders.market"), cell: (order) => units(order.market)?.symbol },
    { name: t("form.side"), cell: (order) => <SideText side={order.side} /> },
    { name: t("form.kind"), cell: (order) => kindText(order) },
    {
      name: t("form.price"),
      number: true,
      cell: (order) => localNumber(units(order.market)?.price(BigInt(order.price)) ?? order.price),
    },
    {
      name: t("orders.filled"),
      number: true,
      cell: (order) => `${amount(order, order.filled)} / ${amount(order, order.quantity)}`,
    },
    { name: t("orders.status"), cell: (order) => statusText(order) },
    { name: t("orders.time"), cell: (order) => localDateTime(order.created_at) },
  ];
  if (failed)
    return <Failure action={<Button onClick={() => void load()}>{t("again")}</Button>}>{failed}</Failure>;
  if (!orders) return <Loading label={t("loading")} />;
  if (!orders.length && next === null) return <Empty>{t("orders.none_closed")}</Empty>;
  return (
    <>
      <Table
        caption={t("orders.history")}
        testId="history"
        columns={columns}
        rows={orders}
        id={(order) => order.order_id}
      />
      {next !== null && (
        <div className="p-2 text-center">
          <Button size="small" onClick={() => void load(next)}>
            {t("more")}
          </Button>
        </div>
      )}
    </>
  );
}

function kindText(order: Order): string {
  const parts = [t(`tif.${order.time_in_force}` as Key)];
  if (order.trigger_type !== "none") parts.unshift(t(`trigger.${order.trigger_type}` as Key));
  if (order.post_only) parts.push(t("form.post_only"));
  return parts.join(", ");
}

function statusText(order: Order): string {
  const reason =
    order.close_reason && order.close_reason !== order.status ? t(`closed.${order.close_reason}` as Key) : "";
  const status = t(`status.${order.status}` as Key);
  return reason && order.status !== "filled" ? `${status}: ${reason}` : status;
}
