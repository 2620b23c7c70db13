import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import type { MarketUnits } from "@/lib/money/market";
import { grouped, type Level } from "@/lib/stream/book";
import { Panel } from "@/ui/Panel";
import { type LiveMarket, useLive } from "./live";

const ROWS = 14;
const STEPS = [1n, 5n, 10n, 50n, 100n, 500n, 1_000n];

interface LadderProps {
  readonly live: LiveMarket;
  readonly units: MarketUnits;
  readonly onPrice: (price: string) => void;
  readonly className?: string;
}

/**
 * The order book. Its rows are React's, their content is not: it is written once per frame from the book, and only where it
 * has changed, so that fifty changes a second cost a few text nodes.
 */
export function Ladder({ live, units, onPrice, className = "" }: LadderProps) {
  const [step, setStep] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const state = useLive(live, (now) => now.bookState);
  const empty = useLive(live, (now) => !now.book.bids.length && !now.book.asks.length);

  useEffect(() => {
    const root = grid.current;
    if (!root) return;
    const drawing = new Drawing(root, units, units.tickSize * (STEPS[step] ?? 1n));
    return live.onFrame(() => drawing.draw(live));
  }, [live, units, step]);

  const choose = (target: EventTarget) => {
    const price = (target as HTMLElement).closest<HTMLElement>("[data-price]")?.dataset.price;
    if (price) onPrice(price);
  };
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const rows = [
      ...event.currentTarget.querySelectorAll<HTMLElement>("button[data-price]:not([data-price=''])"),
    ];
    const place = rows.indexOf(event.target as HTMLElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (place < 0 || !step) return;
    event.preventDefault();
    rows[place + step]?.focus();
  };

  const grouping = (
    <select
      aria-label={t("book.grouping")}
      value={step}
      onChange={(event) => setStep(Number(event.target.value))}
      className="h-6 rounded bg-raised px-1 text-xs text-soft"
    >
      {STEPS.map((factor, place) => (
        <option key={`${factor}`} value={place}>
          {localNumber(trimmedPrice(units, units.tickSize * factor))}
        </option>
      ))}
    </select>
  );
  return (
    <Panel title={t("book.title")} state={state} end={grouping} className={className}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the rows are buttons; this listens for all of them at once */}
      <div
        ref={grid}
        data-testid="book"
        onClick={(event) => choose(event.target)}
        onKeyDown={move}
        className="flex min-h-0 flex-1 flex-col overflow-hidden py-1 contain-strict"
      >
        <div className="grid grid-cols-3 px-3 pb-1 text-2xs text-soft">
          <span>{t("book.price", { asset: units.quote.symbol })}</span>
          <span className="text-end">{t("book.quantity", { asset: units.base.symbol })}</span>
          <span className="text-end">{t("book.total")}</span>
        </div>
        <Rows side="asks" label={t("book.asks")} />
        <div className="flex items-baseline justify-between px-3 py-1.5">
          <span data-spread="" className="text-xs text-soft" />
          {empty && state === "live" && <span className="text-xs text-soft">{t("book.empty")}</span>}
        </div>
        <Rows side="bids" label={t("book.bids")} />
      </div>
    </Panel>
  );
}

function Rows({ side, label }: { readonly side: "asks" | "bids"; readonly label: string }) {
  return (
    <ul
      aria-label={label}
      data-side={side}
      className={`flex flex-1 flex-col overflow-hidden ${side === "asks" ? "justify-end" : ""}`}
    >
      {Array.from({ length: ROWS }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are places in the ladder
        <li key={row} hidden>
          <button
            type="button"
            data-price=""
            tabIndex={row === (side === "asks" ? ROWS - 1 : 0) ? 0 : -1}
            className="relative grid w-full grid-cols-3 px-3 py-px text-start leading-[1.15rem] hover:bg-raised"
          >
            <span
              data-bar=""
              aria-hidden="true"
              className={`absolute inset-y-0 end-0 w-full origin-right rtl:origin-left ${side === "asks" ? "bg-sell/12" : "bg-buy/12"}`}
            />
            <span data-cell="price" className={`relative ${side === "asks" ? "text-sell" : "text-buy"}`} />
            <span data-cell="quantity" className="relative text-end" />
            <span data-cell="total" className="relative text-end text-soft" />
          </button>
        </li>
      ))}
    </ul>
  );
}

function trimmedPrice(units: MarketUnits, price: bigint): string {
  const text = units.price(price);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

interface RowParts {
  readonly item: HTMLElement;
  readonly button: HTMLElement;
  readonly bar: HTMLElement;
  readonly cells: readonly HTMLElement[];
}

/** Writes levels into the rows that stand there. */
class Drawing {
  private readonly rows: Record<"asks" | "bids", RowParts[]>;
  private readonly spread: HTMLElement | null;

  constructor(
    root: HTMLElement,
    private readonly units: MarketUnits,
    private readonly step: bigint,
  ) {
    this.rows = { asks: partsOf(root, "asks").reverse(), bids: partsOf(root, "bids") };
    this.spread = root.querySelector("[data-spread]");
  }

  draw(live: LiveMarket): void {
    const asks = grouped(live.book.asks, this.step, "asks", ROWS);
    const bids = grouped(live.book.bids, this.step, "bids", ROWS);
    const deepest = this.most(asks, bids);
    this.drawSide("asks", asks, deepest);
    this.drawSide("bids", bids, deepest);
    this.drawSpread(live);
  }

  private most(asks: readonly Level[], bids: readonly Level[]): bigint {
    const sum = (levels: readonly Level[]) => levels.reduce((total, level) => total + level.lots, 0n);
    const [a, b] = [sum(asks), sum(bids)];
    return a > b ? a : b;
  }

  private drawSide(side: "asks" | "bids", levels: readonly Level[], deepest: bigint): void {
    let total = 0n;
    this.rows[side].forEach((row, place) => {
      const level = levels[place];
      if (row.item.hidden === Boolean(level)) row.item.hidden = !level;
      if (!level) {
        row.button.dataset.price = "";
        return;
      }
      total += level.lots;
      const price = this.units.price(level.price);
      if (row.button.dataset.price !== price) row.button.dataset.price = price;
      const texts = [price, this.units.quantity(level.lots), this.units.quantity(total)];
      row.cells.forEach((cell, place) => {
        const text = localNumber(texts[place] ?? "");
        if (cell.textContent !== text) cell.textContent = text;
      });
      // a width in thousandths, for drawing only
      const share = `scaleX(${Number((total * 1_000n) / (deepest || 1n)) / 1_000})`;
      if (row.bar.style.transform !== share) row.bar.style.transform = share;
    });
  }

  private drawSpread(live: LiveMarket): void {
    const { bestBid: bid, bestAsk: ask } = live;
    if (!this.spread) return;
    const bps = bid && ask ? ((ask - bid) * 1_000_000n) / ask : 0n;
    const text =
      bid && ask
        ? t("book.spread", {
            spread: localNumber(this.units.price(ask - bid)),
            percent: localNumber(trimmed(bps, 4)),
          })
        : "";
    if (this.spread.textContent !== text) this.spread.textContent = text;
  }
}

function partsOf(root: HTMLElement, side: string): RowParts[] {
  const part = (item: Element, selector: string) => item.querySelector(selector) as HTMLElement;
  return [...root.querySelectorAll<HTMLElement>(`[data-side=${side}] > li`)].map((item) => ({
    item,
    button: part(item, "button"),
    bar: part(item, "[data-bar]"),
    cells: ["price", "quantity", "total"].map((name) => part(item, `[data-cell=${name}]`)),
  }));
}
