import { closeDialog, openDialog, useDialog } from "@/app/dialogs";
import { useExchange } from "@/app/exchange";
import { DepositDialog } from "@/features/funds/DepositDialog";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { OneClickDialog } from "./OneClickDialog";
import { useWallet } from "./store";
import { WalletDialog } from "./WalletDialog";

export const shortAddress = (address: string): string => `${address.slice(0, 6)}…${address.slice(-4)}`;

export function WalletButton() {
  const phase = useWallet((state) => state.phase);
  const address = useWallet((state) => state.wallet?.signer.address);
  const known = useExchange((state) => state.exchange !== null);
  const open = useDialog((state) => state.open);
  return (
    <>
      {address && known && (
        <Button size="small" className="h-8 max-sm:hidden" onClick={() => openDialog("deposit")}>
          {t("wallet.deposit")}
        </Button>
      )}
      <Button
        kind={address ? "plain" : "primary"}
        size="small"
        className="h-8"
        data-tour="wallet"
        disabled={!known}
        busy={phase === "connecting"}
        onClick={() => openDialog("wallet")}
      >
        {address ? <span title={address}>{shortAddress(address)}</span> : t("wallet.connect")}
      </Button>
      {open === "wallet" && <WalletDialog onClose={closeDialog} />}
      {open === "deposit" && <DepositDialog onClose={closeDialog} />}
      {open === "one_click" && <OneClickDialog onClose={closeDialog} />}
    </>
  );
}
