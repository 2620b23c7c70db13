import { openDialog } from "@/app/dialogs";
import { follow } from "@/app/router";
import { Actions } from "@/features/funds/Actions";
import { Balances } from "@/features/funds/Balances";
import { History } from "@/features/funds/History";
import { useFunds } from "@/features/funds/useFunds";
import { useAddress, useWallet } from "@/features/wallet/store";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { FRAME, Page } from "@/ui/Page";
import { Empty } from "@/ui/States";

/** The account's money: what it does, how it comes and goes. */
export default function FundsPage() {
  const account = useAddress();
  const signedIn = useWallet((state) => state.session !== null);
  const funds = useFunds();
  const lead = (
    <>
      {t("funds.lead")}{" "}
      <a href="/leave" onClick={follow} className="text-accent underline">
        {t("funds.leave")}
      </a>
    </>
  );
  return (
    <Page title={t("funds.title")} lead={lead}>
      {account && signedIn ? (
        <>
          <Balances account={funds.value?.account ?? null} state={funds.state} failed={funds.failed} />
          <div className="grid items-start gap-4 lg:grid-cols-[minmax(20rem,26rem)_1fr]">
            <Actions key={account} account={account} funds={funds.value} again={funds.again} />
            <History entries={funds.value?.history ?? null} state={funds.state} failed={funds.failed} />
          </div>
        </>
      ) : (
        <div className={`bg-panel ${FRAME}`}>
          <Empty
            action={
              <Button kind="primary" onClick={() => openDialog("wallet")}>
                {t("wallet.connect")}
              </Button>
            }
          >
            {t("funds.signed_out")}
          </Empty>
        </div>
      )}
    </Page>
  );
}
