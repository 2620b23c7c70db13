import { Fragment } from "react";
import { useExchange } from "@/app/exchange";
import { api } from "@/lib/api/client";
import type { Fees as AllFees, FeeSchedule } from "@/lib/api/types";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { ledgerText, ppmText } from "@/lib/money/amounts";
import { fixed } from "@/lib/money/decimal";
import { usePolled } from "@/lib/usePolled";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";

const EVERY_MS = 15_000;
const HOUR_MS = 3_600_000;

interface Row {
  readonly id: string;
  readonly market: string;
  readonly schedule: FeeSchedule;
  readonly tier: FeeSchedule["tiers"][number];
}

const rowsOf = (market: string, schedule: FeeSchedule): Row[] =>
  schedule.tiers.map((tier) => ({
    id: `${market}-${schedule.effective_at}-${tier.tier}`,
    market,
    schedule,
    tier,
  }));

/** The schedule in force, and every change that was announced. */
export function Fees() {
  const { value, state, failed } = usePolled(api.fees, EVERY_MS);
  return (
    <Panel title={t("fees.title")} state={state} className={FRAME}>
      {failed && !value && (
        <div className="p-3">
          <Failure>{failed}</Failure>
        </div>
      )}
      {value ? <Schedules fees={value} /> : !failed && <Loading label={t("loading")} />}
    </Panel>
  );
}

function Schedules({ fees }: { readonly fees: AllFees }) {
  const announced = fees.markets.flatMap((market) =>
    market.announced.map((schedule) => ({ market: market.symbol, schedule })),
  );
  const hours = Math.round(fees.notice_ms / HOUR_MS);
  return (
    <>
      <Schedule
        caption={t("fees.title")}
        rows={fees.markets.flatMap((market) => rowsOf(market.symbol, market.current))}
      />
      <div className="flex flex-col gap-2 border-t border-line p-3">
        <h3 className="font-semibold text-text">{t("fees.announced")}</h3>
        {announced.length === 0 && <p className="text-soft">{t("fees.none_announced")}</p>}
        {announced.map(({ market, schedule }) => (
          <Fragment key={`${market}-${schedule.effective_at}`}>
            <p className="text-warn">{t("fees.from", { at: localDateTime(schedule.effective_at) })}</p>
            <Schedule caption={t("fees.announced")} rows={rowsOf(market, schedule)} />
          </Fragment>
        ))}
        <p className="text-xs text-soft">
          {t("fees.explain", { hours, cap: localNumber(fixed(BigInt(fees.fee_cap_bps), 2)) })}
        </p>
      </div>
    </>
  );
}

function Schedule({ caption, rows }: { readonly caption: string; readonly rows: readonly Row[] }) {
  const units = useExchange((known) => known.units);
  const floor = ({ market, schedule }: Row) => {
    const quote = units.get(market)?.quote;
    return quote ? `${ledgerText(BigInt(schedule.floor), quote)} ${quote.symbol}` : schedule.floor;
  };
  const columns: Column<Row>[] = [
    { name: t("fees.market"), cell: (row) => row.market },
    { name: t("fees.tier"), number: true, cell: (row) => row.tier.tier },
    { name: t("fees.maker"), number: true, cell: (row) => ppmText(row.tier.maker_fee_ppm) },
    { name: t("fees.taker"), number: true, cell: (row) => ppmText(row.tier.taker_fee_ppm) },
    { name: t("fees.floor"), number: true, cell: floor },
  ];
  return <Table caption={caption} columns={columns} rows={rows} id={(row) => row.id} />;
}
