import { useState } from "react";
import { type Key, t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";
import { keep, recall } from "@/lib/storage";
import type { ChannelState } from "@/lib/stream/client";
import { Panel } from "@/ui/Panel";
import { Segments } from "@/ui/Segments";
import { type LiveMarket, useLive } from "../live";
import { Chart, firstInterval } from "./Chart";
import { INTERVALS, type Interval } from "./candles";
import { DepthChart } from "./DepthChart";
import { INDICATORS, type Indicator } from "./indicators";
import { clearLevels, useLevels } from "./levels";

type View = "candles" | "depth";

/** Candles or depth, with what can be shown beside the candles. */
export function ChartPanel({
  live,
  units,
  className = "",
}: {
  readonly live: LiveMarket;
  readonly units: MarketUnits;
  readonly className?: string;
}) {
  const [view, setView] = useState<View>("candles");
  const [interval, setChosen] = useState<Interval>(firstInterval);
  const [indicators, setIndicators] = useState<readonly Indicator[]>(recall<Indicator[]>("indicators") ?? []);
  const [drawing, setDrawing] = useState(false);
  const [candles, setCandles] = useState<ChannelState>("syncing");
  const book = useLive(live, (now) => now.bookState);
  const choose = (value: Interval) => {
    keep("interval", value);
    setChosen(value);
  };
  const toggle = (indicator: Indicator) => {
    const now = indicators.includes(indicator)
      ? indicators.filter((one) => one !== indicator)
      : [...indicators, indicator];
    keep("indicators", now);
    setIndicators(now);
  };
  const views = [
    { value: "candles", text: t("chart.candles") },
    { value: "depth", text: t("chart.depth") },
  ] as const;
  const choices = INTERVALS.map((value) => ({ value, text: t(`interval.${value}` as Key) }));
  const tools = (
    <>
      {view === "candles" && (
        <>
          <Segments label={t("chart.interval")} options={choices} value={interval} onChange={choose} small />
          <IndicatorMenu chosen={indicators} onToggle={toggle} />
          <Levels symbol={units.symbol} drawing={drawing} onDrawing={setDrawing} />
        </>
      )}
      <Segments label={t("chart.view")} options={views} value={view} onChange={setView} small />
    </>
  );
  return (
    <Panel
      title={t("chart.title")}
      state={view === "candles" ? candles : book}
      end={tools}
      className={className}
    >
      {view === "candles" ? (
        <Chart
          units={units}
          interval={interval}
          indicators={indicators}
          drawing={drawing}
          onState={setCandles}
        />
      ) : (
        <DepthChart live={live} units={units} />
      )}
    </Panel>
  );
}

function IndicatorMenu({
  chosen,
  onToggle,
}: {
  readonly chosen: readonly Indicator[];
  readonly onToggle: (indicator: Indicator) => void;
}) {
  return (
    <details className="relative">
      <summary className="cursor-pointer list-none rounded-md bg-raised px-2 py-1 text-xs text-soft hover:text-text">
        {t("chart.indicators")}
        {chosen.length > 0 && ` (${chosen.length})`}
      </summary>
      <fieldset
        aria-label={t("chart.indicators")}
        className="absolute end-0 top-full z-20 mt-1 flex w-52 flex-col gap-2 rounded-md border border-line bg-panel p-3 shadow-lg"
      >
        {INDICATORS.map((indicator) => (
          <label key={indicator} className="flex items-center gap-2 text-xs">
            <input
              type="checkbox"
              className="accent-accent"
              checked={chosen.includes(indicator)}
              onChange={() => onToggle(indicator)}
            />
            {t(`indicator.${indicator}` as Key)}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

interface LevelsProps {
  readonly symbol: string;
  readonly drawing: boolean;
  readonly onDrawing: (drawing: boolean) => void;
}

function Levels({ symbol, drawing, onDrawing }: LevelsProps) {
  const count = useLevels((state) => state.levels[symbol]?.length ?? 0);
  return (
    <span className="flex gap-1">
      <button
        type="button"
        aria-pressed={drawing}
        title={t("chart.levels_hint")}
        onClick={() => onDrawing(!drawing)}
        className="rounded-md bg-raised px-2 py-1 text-xs text-soft hover:text-text aria-pressed:bg-accent aria-pressed:text-on-accent"
      >
        {t("chart.levels")}
      </button>
      {count > 0 && (
        <button
          type="button"
          aria-label={t("chart.levels_clear")}
          title={t("chart.levels_clear")}
          onClick={() => clearLevels(symbol)}
          className="rounded-md px-1.5 text-soft hover:bg-raised hover:text-text"
        >
          ×
        </button>
      )}
    </span>
  );
}
