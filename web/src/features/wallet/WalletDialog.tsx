import { openDialog } from "@/app/dialogs";
import { useExchange } from "@/app/exchange";
import type { Announced } from "@/lib/chain/injected";
import { localDateTime, t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Failure } from "@/ui/States";
import { startPlaying } from "./newcomer";
import { connectInjected, disconnect, signIn, useWallet } from "./store";

/** Choose a wallet, or see the one that is connected. */
export function WalletDialog({ onClose }: { readonly onClose: () => void }) {
  const wallet = useWallet((state) => state.wallet);
  return (
    <Dialog title={wallet ? t("wallet.yours") : t("wallet.choose")} onClose={onClose}>
      {wallet ? <Connected onClose={onClose} /> : <Choose onClose={onClose} />}
    </Dialog>
  );
}

const CHOICE =
  "flex w-full items-center gap-3 rounded-lg border border-line bg-raised p-3 text-start hover:border-accent disabled:opacity-60";

function Choose({ onClose }: { readonly onClose: () => void }) {
  const announced = useWallet((state) => state.announced);
  const exchange = useExchange((state) => state.exchange);
  const action = useAction();
  const connect = async (choice: Announced) => {
    if (await action.run(() => connectInjected(choice))) onClose();
  };
  return (
    <div className="flex flex-col gap-3">
      {action.failed && <Failure>{action.failed}</Failure>}
      {announced.map((choice) => (
        <button
          key={choice.info.uuid}
          type="button"
          disabled={action.busy}
          onClick={() => void connect(choice)}
          className={CHOICE}
        >
          {choice.info.icon.startsWith("data:") && (
            <img src={choice.info.icon} alt="" width="32" height="32" className="rounded-md" />
          )}
          <span className="font-medium">{choice.info.name}</span>
        </button>
      ))}
      {!announced.length && <p className="text-soft">{t("wallet.none_found")}</p>}
      {exchange?.faucet && (
        <button
          type="button"
          disabled={action.busy}
          onClick={() => void action.run(startPlaying)}
          className={CHOICE}
        >
          <span
            aria-hidden="true"
            className="grid size-8 place-items-center rounded-md bg-accent text-on-accent"
          >
            ✦
          </span>
          <span>
            <span className="block font-medium">{action.busy ? t("wallet.making") : t("wallet.play")}</span>
            <span className="block text-xs text-soft">{t("wallet.play_hint")}</span>
          </span>
        </button>
      )}
      <p className="text-xs text-soft">{t("wallet.read_only")}</p>
    </div>
  );
}

function Connected({ onClose }: { readonly onClose: () => void }) {
  const { wallet, session, delegate } = useWallet();
  const known = useExchange((state) => state.exchange !== null);
  const action = useAction();
  if (!wallet) return null;
  return (
    <div className="flex flex-col gap-4">
      {action.failed && <Failure>{action.failed}</Failure>}
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
        <dt className="text-soft">{t("wallet.kind")}</dt>
        <dd>{wallet.kind === "burner" ? t("wallet.burner") : wallet.name}</dd>
        <dt className="text-soft">{t("wallet.address")}</dt>
        <dd className="break-all font-mono text-xs">{wallet.signer.address}</dd>
        <dt className="text-soft">{t("wallet.session")}</dt>
        <dd>
          {session
            ? t("wallet.session_until", { at: localDateTime(session.expires_at) })
            : t("wallet.session_none")}
        </dd>
        <dt className="text-soft">{t("one_click.title")}</dt>
        <dd>
          {delegate
            ? t("one_click.until", { at: localDateTime(delegate.expiry * 1_000) })
            : t("one_click.off")}
        </dd>
      </dl>
      {wallet.kind === "burner" && <p className="text-xs text-warn">{t("wallet.burner_hint")}</p>}
      <div className="flex flex-wrap gap-2">
        {!session && (
          <Button kind="primary" busy={action.busy} onClick={() => void action.run(signIn)}>
            {t("wallet.sign_in")}
          </Button>
        )}
        {known && <Button onClick={() => openDialog("deposit")}>{t("wallet.deposit")}</Button>}
        {known && <Button onClick={() => openDialog("one_click")}>{t("one_click.title")}</Button>}
        <Button
          kind="danger"
          onClick={() => {
            disconnect();
            onClose();
          }}
        >
          {t("wallet.disconnect")}
        </Button>
      </div>
    </div>
  );
}
