import { openDialog } from "@/app/dialogs";
import { useExchange } from "@/app/exchange";
import { useDisplay } from "@/features/worth/useWorth";
import { Total, Worth } from "@/features/worth/Worth";
import { localNumber, t } from "@/lib/i18n";
import { trimmed } from "@/lib/money/decimal";
import { Button } from "@/ui/Button";
import { Empty } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { type LiveBalance, useAccount } from "./account";

export function BalancesTable() {
  const balances = useAccount((account) => account.balances);
  const assets = useExchange((known) => known.exchange?.assets ?? []);
  const rows = [...balances.values()].sort((a, b) => a.asset_id - b.asset_id);
  const asset = (row: LiveBalance) => assets.find((one) => one.asset_id === row.asset_id);
  const amount = (row: LiveBalance, value: bigint) => localNumber(trimmed(value, asset(row)?.decimals ?? 0));
  const display = useDisplay();
  const columns: Column<LiveBalance>[] = [
    { name: t("balances.asset"), cell: (row) => asset(row)?.symbol },
    { name: t("balances.available"), number: true, cell: (row) => amount(row, row.available) },
    { name: t("balances.held"), number: true, cell: (row) => amount(row, row.held) },
    { name: t("balances.reserved"), number: true, cell: (row) => amount(row, row.reserved) },
    { name: t("balances.unsettled"), number: true, cell: (row) => amount(row, row.unsettled) },
    {
      name: t("worth.column"),
      number: true,
      cell: (row) => <Worth display={display} parts={[{ asset: row.asset_id, amount: wholeOf(row) }]} />,
    },
  ];
  if (!rows.length)
    return (
      <Empty action={<Button onClick={() => openDialog("deposit")}>{t("wallet.deposit")}</Button>}>
        {t("balances.none")}
      </Empty>
    );
  return (
    <>
      <Table
        caption={t("orders.balances")}
        testId="balances"
        columns={columns}
        rows={rows}
        id={(row) => row.asset_id}
      />
      <Total display={display} parts={rows.map((row) => ({ asset: row.asset_id, amount: wholeOf(row) }))} />
    </>
  );
}

const wholeOf = (row: LiveBalance): bigint => row.available + row.held + row.reserved - row.deficit;
