import { useState } from "react";
import { localDateTime, t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Segments } from "@/ui/Segments";
import { Failure } from "@/ui/States";
import { DELEGATE_HOURS, endDelegate, startDelegate, useWallet } from "./store";

const CHOICES = DELEGATE_HOURS.map((hours) => ({ value: `${hours}`, hours }));

/** A key in this browser that trades for the account, so that the wallet does not ask for every order. */
export function OneClickDialog({ onClose }: { readonly onClose: () => void }) {
  const { wallet, delegate } = useWallet();
  const [hours, setHours] = useState("8");
  const action = useAction();
  const start = () => action.run(() => startDelegate(Number(hours) * 3_600));
  return (
    <Dialog title={t("one_click.title")} onClose={onClose}>
      <p className="text-soft">{t("one_click.explain")}</p>
      <ul className="list-disc ps-5 text-soft">
        <li>{t("one_click.can")}</li>
        <li>{t("one_click.cannot")}</li>
        <li>{t("one_click.kept")}</li>
      </ul>
      {action.failed && <Failure>{action.failed}</Failure>}
      {!wallet && <p>{t("form.connect_first")}</p>}
      {wallet && !delegate && (
        <>
          <Segments
            label={t("one_click.how_long")}
            value={hours}
            onChange={setHours}
            options={CHOICES.map((choice) => ({
              value: choice.value,
              text: t("one_click.hours", { count: choice.hours }),
            }))}
          />
          <Button kind="primary" busy={action.busy} onClick={() => void start()}>
            {action.busy ? t("one_click.starting") : t("one_click.start")}
          </Button>
        </>
      )}
      {wallet && delegate && (
        <>
          <p>{t("one_click.until", { at: localDateTime(delegate.expiry * 1_000) })}</p>
          <p className="break-all font-mono text-xs text-soft">{delegate.address}</p>
          <Button kind="danger" busy={action.busy} onClick={() => void action.run(endDelegate)}>
            {action.busy ? t("one_click.ending") : t("one_click.end")}
          </Button>
        </>
      )}
    </Dialog>
  );
}
