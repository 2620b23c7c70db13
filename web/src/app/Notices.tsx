import { useEffect } from "react";
import { useExchange } from "@/app/exchange";
import { dismiss, type Notice, useAccount } from "@/features/orders/account";
import { type Key, localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";

const SHOWN_MS = 6_000;

/** What has just happened to the account, read out as it appears. */
export function Notices() {
  const notices = useAccount((state) => state.notices);
  return (
    <div
      aria-live="polite"
      role="log"
      aria-label={t("notices")}
      className="pointer-events-none fixed bottom-16 end-3 z-40 flex w-72 flex-col gap-2 lg:start-3 lg:end-auto lg:bottom-12"
    >
      {notices.map((notice) => (
        <One key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function One({ notice }: { readonly notice: Notice }) {
  useEffect(() => {
    const timer = setTimeout(() => dismiss(notice.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice.id]);
  const text = useSentence(notice);
  if (!text) return null;
  return (
    <div className="pointer-events-auto flex items-start gap-2 rounded-lg border border-line bg-raised p-3 shadow-lg">
      <p className="min-w-0 flex-1">{text}</p>
      <button
        type="button"
        onClick={() => dismiss(notice.id)}
        className="text-soft hover:text-text"
        aria-label={t("close")}
      >
        ×
      </button>
    </div>
  );
}

/** Reasons for which an order closes that are not worth a word: the user did it, or a fill says it already. */
const SILENT = new Set(["filled", "cancelled", "amended", "mass_cancelled"]);

function useSentence({ event, row }: Notice): string | null {
  const units = useExchange((known) => known.units);
  const exchange = useExchange((known) => known.exchange);
  const market = [...units.values()].find((one) => one.id === row.market);
  if (event === "fill" && market) {
    const key: Key = row.side === "buy" ? "notice.bought" : "notice.sold";
    return t(key, {
      quantity: localNumber(market.quantity(BigInt(row.quantity as string))),
      base: market.base.symbol,
      price: localNumber(market.price(BigInt(row.price as string))),
    });
  }
  if (event === "order_closed" && !SILENT.has(String(row.reason))) {
    const key = `closed.${row.reason}` as Key;
    const said = t(key);
    return t("notice.closed", { reason: said ?? String(row.reason) });
  }
  if (event === "order_triggered" && market)
    return t("notice.triggered", { price: localNumber(market.price(BigInt(row.price as string))) });
  if (event === "trade_reversed") return t("notice.reversed", { reason: String(row.reason) });
  if (event === "credited") {
    const asset = exchange?.assets.find((one) => one.asset_id === row.asset_id);
    if (!asset) return null;
    const amount = localNumber(trimmed(BigInt(row.amount as string), asset.decimals));
    return t("notice.credited", { amount, asset: asset.symbol });
  }
  return null;
}
