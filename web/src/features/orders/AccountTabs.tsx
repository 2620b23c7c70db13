import { useState } from "react";
import { openDialog } from "@/app/dialogs";
import { useWallet } from "@/features/wallet/store";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { NotLive } from "@/ui/Panel";
import { Empty, Loading } from "@/ui/States";
import { Tabs } from "@/ui/Tabs";
import { useAccount } from "./account";
import { BalancesTable } from "./BalancesTable";
import { FillsTable } from "./FillsTable";
import { HistoryTable } from "./HistoryTable";
import { OpenOrdersTable } from "./OpenOrdersTable";

type Tab = "open" | "fills" | "history" | "balances";

/** The account below the market: what is open, what was filled and where it settled, what was, what there is. */
export function AccountTabs({ className = "" }: { readonly className?: string }) {
  const [tab, setTab] = useState<Tab>("open");
  const signedIn = useWallet((state) => state.session !== null);
  const state = useAccount((account) => account.state);
  const open = useAccount((account) => account.orders.size);
  const tabs = [
    { id: "open", text: t("orders.open_count", { number: open }) },
    { id: "fills", text: t("orders.fills") },
    { id: "history", text: t("orders.history") },
    { id: "balances", text: t("orders.balances") },
  ] as const;
  return (
    <section
      aria-label={t("orders.title")}
      data-tour="account"
      className={`flex min-h-0 flex-col bg-panel ${className}`}
    >
      <Tabs
        label={t("orders.title")}
        tabs={tabs}
        value={tab}
        onChange={setTab}
        className="flex-1"
        end={signedIn && state !== "live" && <NotLive state={state} />}
      >
        {signedIn && state === "syncing" ? (
          <Loading label={t("loading")} />
        ) : signedIn ? (
          <div className={state === "live" ? "" : "stale"}>
            {tab === "open" && <OpenOrdersTable />}
            {tab === "fills" && <FillsTable />}
            {tab === "history" && <HistoryTable />}
            {tab === "balances" && <BalancesTable />}
          </div>
        ) : (
          <Empty action={<Button onClick={() => openDialog("wallet")}>{t("wallet.connect")}</Button>}>
            {t("orders.signed_out")}
          </Empty>
        )}
      </Tabs>
    </section>
  );
}
