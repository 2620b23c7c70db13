import { useExchange } from "@/app/exchange";
import { useDisplay } from "@/features/worth/useWorth";
import { Total, Worth } from "@/features/worth/Worth";
import type { Account, Balance } from "@/lib/api/types";
import { t } from "@/lib/i18n";
import { ledgerText } from "@/lib/money/amounts";
import type { ChannelState } from "@/lib/stream/client";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";

interface BalancesProps {
  readonly account: Account | null;
  readonly state: ChannelState;
  readonly failed: string | null;
}

/** What the account has in trading, by what it is doing there, and in funding; and what the contract says of both. */
export function Balances({ account, state, failed }: BalancesProps) {
  const assets = useExchange((known) => known.exchange?.assets ?? []);
  const text = (row: Balance, value: string) => {
    const asset = assets.find((one) => one.asset_id === row.asset_id);
    return asset ? ledgerText(BigInt(value), asset) : value;
  };
  const column = (name: string, field: keyof Balance, strong = false): Column<Balance> => ({
    name,
    number: true,
    cell: (row) => (
      <span
        data-field={field}
        className={row[field] === "0" ? "text-soft" : strong ? "font-semibold text-strong" : ""}
      >
        {text(row, `${row[field]}`)}
      </span>
    ),
  });
  const display = useDisplay();
  const columns: Column<Balance>[] = [
    {
      name: t("balances.asset"),
      cell: (row) => <span className="font-semibold text-strong">{row.symbol}</span>,
    },
    column(t("balances.available"), "available", true),
    column(t("balances.held"), "held"),
    column(t("balances.reserved"), "reserved"),
    column(t("balances.unsettled"), "unsettled"),
    column(t("funds.arriving"), "uncredited"),
    column(t("funds.on_chain"), "trading_on_chain"),
    column(t("funds.funding"), "funding_on_chain"),
    {
      name: t("worth.column"),
      number: true,
      cell: (row) => <Worth display={display} parts={[{ asset: row.asset_id, amount: wholeOf(row) }]} />,
    },
  ];
  const owed = account?.balances.filter((row) => row.deficit !== "0") ?? [];
  return (
    <Panel title={t("funds.balances")} state={state} className={FRAME}>
      {failed && (
        <div className="p-3">
          <Failure>{failed}</Failure>
        </div>
      )}
      {owed.map((row) => (
        <p key={row.asset_id} className="px-3 pt-3 text-sell">
          {t("funds.deficit", { amount: text(row, row.deficit), asset: row.symbol })}
        </p>
      ))}
      {account ? (
        <>
          <Total
            display={display}
            parts={account.balances.map((row) => ({ asset: row.asset_id, amount: wholeOf(row) }))}
          />
          <Table
            caption={t("funds.balances")}
            testId="funds"
            columns={columns}
            rows={account.balances}
            id={(row) => row.asset_id}
          />
        </>
      ) : (
        !failed && <Loading label={t("loading")} />
      )}
    </Panel>
  );
}

/** Everything of an asset that is the account's: in trading, on its way there, and in funding. */
const wholeOf = (row: Balance): bigint =>
  [row.available, row.held, row.reserved, row.uncredited, row.funding_on_chain]
    .map(BigInt)
    .reduce((sum, one) => sum + one) - BigInt(row.deficit);
