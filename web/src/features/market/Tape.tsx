import { useEffect, useRef } from "react";
import type { Trade } from "@/lib/api/types";
import { localNumber, localTime, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { Panel } from "@/ui/Panel";
import { Empty } from "@/ui/States";
import { type LiveMarket, useLive } from "./live";

const SHOWN = 50;
const SCROLLS = "min-h-0 flex-1 overflow-y-auto contain-strict";

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
    let drawn: readonly Trade[] = [];
    return live.onFrame(() => {
      if (live.trades === drawn) return;
      draw(table, live.trades, drawn, units);
      drawn = live.trades;
    });
  }, [live, units]);
  return (
    <Panel title={t("tape.title")} state={state} className={className}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <section tabIndex={0} aria-label={t("tape.recent")} className={SCROLLS}>
        <table data-testid="tape" className="w-full table-fixed">
          <thead className="sticky top-0 bg-panel text-2xs text-soft">
            <tr className="whitespace-nowrap">
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

/** Put what is new above what stands there; write anew only what is not where it was, or has been reversed. */
function draw(
  table: HTMLTableSectionElement,
  trades: readonly Trade[],
  drawn: readonly Trade[],
  units: MarketUnits,
): void {
  const fresh = drawn[0] ? trades.findIndex((trade) => trade.trade_id === drawn[0]?.trade_id) : -1;
  for (let added = 0; added < fresh && added < SHOWN; added++) table.prepend(newRow());
  for (const [place, trade] of trades.slice(0, SHOWN).entries()) {
    const before = fresh < 0 ? undefined : drawn[place - fresh];
    if (before?.trade_id === trade.trade_id && before.reversed === trade.reversed) continue;
    write(table.rows[place] ?? table.appendChild(newRow()), trade, units);
  }
  while (table.rows.length > Math.min(trades.length, SHOWN)) table.deleteRow(-1);
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
