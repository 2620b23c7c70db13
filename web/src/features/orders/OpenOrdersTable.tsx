import { useState } from "react";
import { useDisplay } from "@/features/worth/useWorth";
import { Worth } from "@/features/worth/Worth";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Empty, Failure } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { AmendDialog } from "./AmendDialog";
import { type OpenOrder, useAccount } from "./account";
import { newestFirst } from "./age";
import { CancelOnDisconnect } from "./CancelOnDisconnect";
import { SideText, useUnitsById } from "./cells";
import { Mirrored, useMirror } from "./Mirrored";
import { cancelAll, cancelOrder } from "./place";
import { TradingStop } from "./TradingStop";

const CANCELS = [
  ["buy", "orders.cancel_buys"],
  ["sell", "orders.cancel_sells"],
  ["both", "orders.cancel_all"],
] as const;

/** The side of the book on which an order stands. */
const bookSide = (order: OpenOrder): "buy" | "sell" => (order.side === "sell" ? "sell" : "buy");

export function OpenOrdersTable() {
  const orders = useAccount((account) => account.orders);
  const [amended, setAmended] = useState<OpenOrder | null>(null);
  const action = useAction();
  const [mirrored, mirror] = useMirror();
  const display = useDisplay();
  const units = useUnitsById();
  const rows = [...orders.values()].sort(newestFirst);
  const quantity = (order: OpenOrder, amount: bigint) => {
    const market = units(order.market);
    if (!market) return `${amount}`;
    return localNumber(
      order.side === "buy_quote" ? trimmed(amount, market.quote.decimals) : market.quantity(amount),
    );
  };
  const price = (order: OpenOrder, value: bigint) =>
    localNumber(units(order.market)?.price(value) ?? `${value}`);
  const columns: Column<OpenOrder>[] = [
    { name: t("orders.market"), cell: (order) => units(order.market)?.symbol },
    { name: t("form.side"), cell: (order) => <SideText side={order.side} /> },
    { name: t("form.price"), number: true, cell: (order) => price(order, order.price) },
    {
      name: t("orders.remaining"),
      number: true,
      cell: (order) => `${quantity(order, order.remaining)} / ${quantity(order, order.quantity)}`,
    },
    {
      name: t("worth.column"),
      number: true,
      cell: (order) => {
        const quote = units(order.market)?.quote;
        const amount = order.side === "buy_quote" ? order.remaining : order.price * order.remaining;
        return quote ? <Worth display={display} parts={[{ asset: quote.asset_id, amount }]} /> : "–";
      },
    },
    {
      name: t("orders.trigger"),
      number: true,
      cell: (order) =>
        !order.waiting
          ? "–"
          : order.triggerPrice
            ? t("orders.waits", { price: price(order, order.triggerPrice) })
            : t("orders.trails"),
    },
    { name: t("orders.until"), cell: (order) => localDateTime(order.expiry * 1_000) },
    {
      name: t("orders.actions"),
      quiet: true,
      cell: (order) => (
        <span className="flex justify-end gap-1">
          {order.side !== "buy_quote" && (
            <Button size="small" kind="quiet" onClick={() => setAmended(order)}>
              {t("orders.amend")}
            </Button>
          )}
          <Button
            size="small"
            kind="quiet"
            disabled={action.busy}
            onClick={() => void action.run(() => cancelOrder(order.nonce, mirror))}
          >
            {t("orders.cancel")}
          </Button>
        </span>
      ),
    },
  ];
  return (
    <>
      {action.failed && (
        <div className="p-2">
          <Failure>{action.failed}</Failure>
        </div>
      )}
      {mirrored && (
        <div className="p-2">
          <Mirrored data={mirrored} />
        </div>
      )}
      {rows.length ? (
        <Table
          caption={t("orders.open")}
          testId="open-orders"
          columns={columns}
          rows={rows}
          id={(order) => order.order_id}
        />
      ) : (
        <Empty>{t("orders.none_open")}</Empty>
      )}
      <div className="flex flex-wrap items-center justify-between gap-2 p-2">
        <TradingStop />
        <span className="ms-auto flex flex-wrap justify-end gap-2">
          {CANCELS.map(
            ([side, text]) =>
              rows.some((order) => side === "both" || bookSide(order) === side) && (
                <Button
                  key={side}
                  size="small"
                  kind={side === "both" ? "danger" : "quiet"}
                  busy={action.busy}
                  onClick={() => void action.run(() => cancelAll(0, side, mirror))}
                >
                  {t(text)}
                </Button>
              ),
          )}
        </span>
      </div>
      <CancelOnDisconnect />
      {amended && <AmendDialog order={amended} onClose={() => setAmended(null)} />}
    </>
  );
}
