import { useEffect, useState } from "react";
import { brand } from "@/app/brand";
import { closeDialog, openDialog, useDialog } from "@/app/dialogs";
import { useExchange } from "@/app/exchange";
import { KeysDialog } from "@/app/KeysDialog";
import { PARTS, type Part, showPart, usePart } from "@/app/parts";
import type { PageProps } from "@/app/routes";
import { useShortcuts } from "@/app/shortcuts";
import { ChartPanel } from "@/features/market/chart/ChartPanel";
import { Ladder } from "@/features/market/Ladder";
import { type LiveMarket, useLive, useLiveMarket } from "@/features/market/live";
import { MarketBar } from "@/features/market/MarketBar";
import { MarketsDialog } from "@/features/market/MarketsDialog";
import { Tape } from "@/features/market/Tape";
import { AccountTabs } from "@/features/orders/AccountTabs";
import { Mirrored, useMirror } from "@/features/orders/Mirrored";
import { OrderForm } from "@/features/orders/OrderForm";
import { cancelAll } from "@/features/orders/place";
import { type Key, localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { keep, recall } from "@/lib/storage";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Empty, Failure, Loading } from "@/ui/States";

/** One market: `rest` is its symbol. */
export default function TradePage({ rest }: PageProps) {
  const units = useExchange((known) => known.units);
  const away = useExchange((known) => known.away);
  const symbol = rest || recall<string>("market") || units.keys().next().value || "";
  const market = units.get(symbol);
  if (!units.size) return away ? <Away reason={away} /> : <Loading label={t("loading")} />;
  if (!market) return <Empty>{t("market.unknown", { market: symbol })}</Empty>;
  return <Market key={symbol} units={market} />;
}

/** The exchange cannot be had, and this browser has never seen it. */
function Away({ reason }: { readonly reason: string }) {
  return (
    <div className="mx-auto w-full max-w-xl p-6">
      <Failure>{reason}</Failure>
    </div>
  );
}

function Market({ units }: { readonly units: MarketUnits }) {
  const live = useLiveMarket(units.symbol);
  useEffect(() => keep("market", units.symbol), [units.symbol]);
  return live ? <Screen live={live} units={units} /> : <Loading label={t("loading")} />;
}

/** On wide screens everything at once; on phones one part at a time, chosen at the bottom. */
function Screen({ live, units }: { readonly live: LiveMarket; readonly units: MarketUnits }) {
  const [picked, setPicked] = useState({ price: "", count: 0 });
  const part = usePart((state) => state.part);
  const dialog = useDialog((state) => state.open);
  useTitle(live, units);
  const cancel = useAction();
  const [mirrored, mirror] = useMirror();
  useShortcuts({
    "/": () => openDialog("markets"),
    "?": () => openDialog("keys"),
    x: () => void cancel.run(() => cancelAll(units.id, "both", mirror)),
  });
  const pick = (price: string) => {
    setPicked((now) => ({ price, count: now.count + 1 }));
    if (part === "book") showPart("trade");
  };
  const on = (name: Part, classes: string) => `${part === name ? "max-lg:flex" : "max-lg:hidden"} ${classes}`;
  return (
    <>
      <h1 className="sr-only">
        {t("market.heading", { base: units.base.symbol, quote: units.quote.symbol })}
      </h1>
      <MarketBar live={live} units={units} />
      {mirrored && <Mirrored data={mirrored} />}
      <div className="grid min-h-0 flex-1 gap-px bg-line max-lg:flex max-lg:flex-col lg:grid-cols-[minmax(0,1fr)_17rem_19rem] lg:grid-rows-[minmax(20rem,1fr)_16rem]">
        <ChartPanel live={live} units={units} className={on("chart", "max-lg:min-h-[60dvh] max-lg:flex-1")} />
        <div className={on("book", "min-h-0 flex-col gap-px lg:row-span-2 lg:flex max-lg:flex-1")}>
          <Ladder live={live} units={units} onPrice={pick} className="flex-[3_1_0] max-lg:min-h-[28rem]" />
          <Tape live={live} units={units} className="flex-[2_1_0] max-lg:min-h-64" />
        </div>
        <OrderForm
          live={live}
          units={units}
          picked={picked}
          className={on("trade", "overflow-y-auto max-lg:flex-1 lg:row-span-2")}
        />
        <AccountTabs className={on("account", "max-lg:min-h-[60dvh] max-lg:flex-1")} />
      </div>
      <nav
        aria-label={t("parts.label")}
        className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-panel lg:hidden"
      >
        {PARTS.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={part === name}
            onClick={() => showPart(name)}
            className="flex-1 py-3 text-soft aria-pressed:font-semibold aria-pressed:text-accent"
          >
            {t(`parts.${name}` as Key)}
          </button>
        ))}
      </nav>
      {cancel.failed && (
        <div className="fixed inset-x-3 top-14 z-40">
          <Failure action={<Button onClick={cancel.clear}>{t("close")}</Button>}>{cancel.failed}</Failure>
        </div>
      )}
      {dialog === "keys" && <KeysDialog onClose={closeDialog} />}
      {dialog === "markets" && <MarketsDialog onClose={closeDialog} />}
    </>
  );
}

const TITLE_MS = 1_000;

/** The last price in the page's title, for those who have it in another tab. */
function useTitle(live: LiveMarket, units: MarketUnits): void {
  const last = useLive(live, (now) => now.lastPrice, TITLE_MS);
  useEffect(() => {
    document.title = last ? `${localNumber(units.price(last))} ${units.symbol} · ${brand.name}` : brand.name;
    return () => {
      document.title = brand.name;
    };
  }, [last, units]);
}
