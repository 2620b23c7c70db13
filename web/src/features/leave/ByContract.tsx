import { useEffect, useState } from "react";
import { lookForWallets } from "@/features/wallet/store";
import { type Announced, discover, walletRpc } from "@/lib/chain/injected";
import { Chain } from "@/lib/chain/rpc";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Field } from "@/ui/Field";
import { Failure } from "@/ui/States";
import { nameContract } from "./left";
import { Step } from "./Step";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/** When nobody says what the exchange is: the contract by its address, read through the user's own wallet. */
export function ByContract() {
  const [contract, setContract] = useState("");
  const [factory, setFactory] = useState("");
  const announced = useAnnounced();
  const action = useAction();
  const bad = (text: string) => (text && !ADDRESS.test(text) ? t("funds.bad_recipient") : undefined);
  const ready = ADDRESS.test(contract) && (!factory || ADDRESS.test(factory));
  const read = (wallet: Announced) =>
    action.run(async () => {
      const chain = new Chain(walletRpc(wallet.provider));
      await nameContract(chain, contract as Address, factory ? (factory as Address) : null);
      lookForWallets();
    });
  return (
    <Step title={t("leave.by_contract")} hint={t("leave.by_contract_hint")}>
      <Field
        label={t("leave.contract")}
        dir="ltr"
        value={contract}
        onChange={setContract}
        placeholder="0x…"
        error={bad(contract)}
        className="w-full max-w-xl"
      />
      <Field
        label={t("leave.factory")}
        dir="ltr"
        value={factory}
        onChange={setFactory}
        placeholder="0x…"
        error={bad(factory)}
        className="w-full max-w-xl"
      />
      {action.failed && <Failure>{action.failed}</Failure>}
      {announced.length === 0 && <p className="text-warn">{t("leave.needs_wallet")}</p>}
      <div className="flex flex-wrap gap-2">
        {announced.map((wallet) => (
          <Button
            key={wallet.info.uuid}
            kind="primary"
            busy={action.busy}
            disabled={!ready}
            onClick={() => void read(wallet)}
          >
            {t("leave.read_by", { wallet: wallet.info.name })}
          </Button>
        ))}
      </div>
    </Step>
  );
}

/** The wallets of this browser, without asking any for accounts. */
function useAnnounced(): readonly Announced[] {
  const [announced, setAnnounced] = useState<readonly Announced[]>([]);
  useEffect(
    () =>
      discover((wallet) =>
        setAnnounced((now) =>
          now.some((known) => known.info.uuid === wallet.info.uuid) ? now : [...now, wallet],
        ),
      ),
    [],
  );
  return announced;
}
