import { useEffect, useRef } from "react";
import type { Trade } from "@/lib/api/types";
import { localNumber, localTime, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { Panel } from "@/ui/Panel";
import { Empty } from "@/ui/States";
import { type LiveMarket, useLive } from "./live";

const SHOWN = 50;

interface TapeProps {
  readonly live: LiveMarket;
  readonly units: MarketUnits;
  readonly className?: string;
}

/** The last trades of everybody, written outside React like the book. */
export function Tape({ live, units, className = "" }: TapeProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const state = useLive(live, (now) => now.tradesState);
  const empty = useLive(live, (now) => now.trades.length === 0);
  useEffect(() => {
    const table = body.current;
    if (!table) return;
    let drawn = "";
    return live.onFrame(() => {
      const trades = live.trades.slice(0, SHOWN);
      const key = trades.map((trade) => `${trade.trade_id}${trade.reversed ? "r" : ""}`).join();
      if (key === drawn) return;
      drawn = key;
      for (const [place, trade] of trades.entries()) {
        write(table.rows[place] ?? table.appendChild(newRow()), trade, units);
      }
      while (table.rows.length > trades.length) table.deleteRow(-1);
    });
  }, [live, units]);
  return (
    <Panel title={t("tape.title")} state={state} className={className}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <section tabIndex={0} aria-label={t("tape.recent")} className="min-h-0 flex-1 overflow-y-auto">
        <table data-testid="tape" className="w-full">
          <thead className="sticky top-0 bg-panel text-2xs text-soft">
            <tr>
              <th scope="col" className="px-3 py-1 text-start font-normal">
                {t("book.price", { asset: units.quote.symbol })}
              </th>
              <th scope="col" className="py-1 text-end font-normal">
                {t("book.quantity", { asset: units.base.symbol })}
              </th>
              <th scope="col" className="px-3 py-1 text-end font-normal">
                {t("tape.time")}
              </th>
            </tr>
          </thead>
          <tbody ref={body} />
        </table>
        {empty && state === "live" && <Empty>{t("tape.empty")}</Empty>}
      </section>
    </Panel>
  );
}

function newRow(): HTMLTableRowElement {
  const row = document.createElement("tr");
  for (const classes of ["px-3 py-px", "py-px text-end", "px-3 py-px text-end text-soft"]) {
    row.insertCell().className = classes;
  }
  return row;
}

function write(row: HTMLTableRowElement, trade: Trade, units: MarketUnits): void {
  const texts = [
    localNumber(units.price(BigInt(trade.price))),
    localNumber(units.quantity(BigInt(trade.quantity))),
    localTime(trade.at),
  ];
  texts.forEach((text, place) => {
    const cell = row.cells[place];
    if (cell && cell.textContent !== text) cell.textContent = text;
  });
  const first = row.cells[0];
  if (first) first.className = `px-3 py-px ${trade.taker_side === "sell" ? "text-sell" : "text-buy"}`;
  row.classList.toggle("line-through", Boolean(trade.reversed));
}
