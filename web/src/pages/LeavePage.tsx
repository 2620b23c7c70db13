import { useState } from "react";
import { openDialog } from "@/app/dialogs";
import { ByContract } from "@/features/leave/ByContract";
import { Elsewhere, Exit, Holdings, Silence } from "@/features/leave/Exit";
import { Forced } from "@/features/leave/Forced";
import { useLeft } from "@/features/leave/left";
import { Step } from "@/features/leave/Step";
import { useOnChain } from "@/features/leave/useOnChain";
import { Asked } from "@/features/proof/Asked";
import { useAddress } from "@/features/wallet/store";
import type { Address } from "@/lib/chain/typedData";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { spanText } from "@/lib/span";
import { Button } from "@/ui/Button";
import { Copied } from "@/ui/Copied";
import { Field } from "@/ui/Field";
import { Page } from "@/ui/Page";
import { NotLive } from "@/ui/Panel";
import { Failure, Loading } from "@/ui/States";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/** Everything out, with the chain alone. */
export default function LeavePage() {
  const exchange = useLeft();
  const own = useAddress();
  const [typed, setTyped] = useState("");
  const watched = ADDRESS.test(typed) ? (typed as Address) : null;
  const account = watched ?? own;
  const mine = account !== null && account.toLowerCase() === own?.toLowerCase();
  if (!exchange)
    return (
      <Page title={t("leave.title")} lead={t("leave.lead")}>
        <p className="text-warn">{t("leave.no_exchange")}</p>
        <ByContract />
      </Page>
    );
  return (
    <Page title={t("leave.title")} lead={t("leave.lead")}>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-panel border border-line bg-panel p-4">
        <span className="text-soft">{t("leave.contract")}</span>
        <Copied text={exchange.contract} whole />
        {own ? (
          <>
            <span className="text-soft">{t("leave.account")}</span>
            <Copied text={account ?? own} whole />
          </>
        ) : (
          <Button kind="primary" onClick={() => openDialog("wallet")}>
            {t("wallet.connect")}
          </Button>
        )}
        <Field
          label={t("leave.watch")}
          dir="ltr"
          value={typed}
          onChange={setTyped}
          placeholder="0x…"
          error={typed && !watched ? t("funds.bad_recipient") : undefined}
          className="w-full max-w-xl"
        />
      </div>
      {account && <Ways key={account} account={account} mine={mine} />}
    </Page>
  );
}

function Ways({ account, mine }: { readonly account: Address; readonly mine: boolean }) {
  const chain = useOnChain(account);
  const found = chain.value;
  if (!found) return chain.failed ? <Failure>{chain.failed}</Failure> : <Loading label={t("loading")} />;
  const part = { account, chain, found, mine };
  return (
    <div className={`flex flex-col gap-4 ${chain.state === "stale" ? "stale" : ""}`}>
      {chain.failed && <Failure>{chain.failed}</Failure>}
      {!mine && <p className="text-warn">{t("leave.view_only")}</p>}
      <Step title={t("leave.yours")}>
        {found.misnamed.length > 0 && (
          <p className="text-sell">{t("leave.misnamed", { tokens: found.misnamed.join(", ") })}</p>
        )}
        <Holdings found={found} />
        <p className="flex items-center gap-2 text-xs text-soft">
          {t("leave.at", { block: localNumber(`${found.block}`), time: localDateTime(found.now * 1_000) })}
          {chain.state === "stale" && <NotLive state="stale" />}
        </p>
        <Asked node={found.node} />
      </Step>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Step title={t("leave.everything")} hint={t("leave.exit_hint", { delay: spanText(found.delay) })}>
          <Exit {...part} />
        </Step>
        <Step
          title={t("leave.some")}
          hint={t("leave.some_hint", { delay: spanText(found.delay), window: spanText(found.claimWindow) })}
        >
          <Forced account={account} chain={chain} mine={mine} />
        </Step>
        <Step title={t("leave.silence")} hint={t("leave.silence_hint")}>
          <Silence {...part} />
        </Step>
        <Step title={t("leave.left")}>
          <Elsewhere {...part} />
        </Step>
      </div>
    </div>
  );
}
