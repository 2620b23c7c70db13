import { useState } from "react";
import { useExchange } from "@/app/exchange";
import { navigate } from "@/app/router";
import { localNumber, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { keep, recall } from "@/lib/storage";
import { Dialog } from "@/ui/Dialog";
import { Empty } from "@/ui/States";
import { changeText, changeTone } from "./change";
import { useTickers } from "./tickers";

/** All markets: search, favourites first, and how each did in 24 hours. */
export function MarketsDialog({ onClose }: { readonly onClose: () => void }) {
  const units = useExchange((known) => known.units);
  const [wanted, setWanted] = useState("");
  const [favourites, setFavourites] = useState<readonly string[]>(recall<string[]>("favourites") ?? []);
  const found = [...units.values()]
    .filter((one) => one.symbol.toLowerCase().includes(wanted.trim().toLowerCase().replace("/", "-")))
    .sort((a, b) => Number(favourites.includes(b.symbol)) - Number(favourites.includes(a.symbol)));
  const toggle = (symbol: string) => {
    const now = favourites.includes(symbol)
      ? favourites.filter((one) => one !== symbol)
      : [...favourites, symbol];
    keep("favourites", now);
    setFavourites(now);
  };
  const go = (symbol: string) => {
    navigate(`/trade/${symbol}`);
    onClose();
  };
  return (
    <Dialog title={t("market.choose")} onClose={onClose}>
      <input
        type="search"
        aria-label={t("market.search")}
        placeholder={t("market.search")}
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && found[0] && go(found[0].symbol)}
        className="h-9 rounded-md border border-line bg-raised px-3"
      />
      {found.length ? (
        <ul className="flex flex-col">
          {found.map((one) => (
            <Row
              key={one.symbol}
              units={one}
              favourite={favourites.includes(one.symbol)}
              onToggle={toggle}
              onGo={go}
            />
          ))}
        </ul>
      ) : (
        <Empty>{t("market.none_found")}</Empty>
      )}
    </Dialog>
  );
}

interface RowProps {
  readonly units: MarketUnits;
  readonly favourite: boolean;
  readonly onToggle: (symbol: string) => void;
  readonly onGo: (symbol: string) => void;
}

function Row({ units, favourite, onToggle, onGo }: RowProps) {
  const ticker = useTickers((state) => state.tickers.get(units.symbol));
  const last = ticker?.last_price;
  return (
    <li className="flex items-center rounded-md hover:bg-raised">
      <button
        type="button"
        aria-pressed={favourite}
        aria-label={t("market.favourite", { market: units.symbol })}
        onClick={() => onToggle(units.symbol)}
        className={`size-9 ${favourite ? "text-warn" : "text-soft hover:text-text"}`}
      >
        {favourite ? "★" : "☆"}
      </button>
      <button
        type="button"
        onClick={() => onGo(units.symbol)}
        className="flex flex-1 items-center gap-3 py-2 pe-2 text-start"
      >
        <span className="flex-1 font-medium">
          <bdi dir="ltr">
            {units.base.symbol}
            <span className="text-soft">/{units.quote.symbol}</span>
          </bdi>
        </span>
        <span>{last ? localNumber(units.price(BigInt(last))) : "–"}</span>
        <span className={`w-20 text-end ${changeTone(ticker)}`}>
          <bdi>{changeText(ticker)}</bdi>
        </span>
      </button>
    </li>
  );
}
