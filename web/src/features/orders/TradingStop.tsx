import { useState } from "react";
import { t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Failure } from "@/ui/States";
import { useAccount } from "./account";
import { Mirrored, useMirror } from "./Mirrored";
import { stopTrading } from "./place";

/** Whether the account trades, and the way to stop it, or to start it again. */
export function TradingStop() {
  const stops = useAccount((account) => account.stops);
  const [asking, setAsking] = useState(false);
  if (!stops) return null;
  const { byOwner, byOperator } = stops;
  return (
    <div className="flex flex-wrap items-center gap-2 text-xs" data-testid="trading-stop">
      {byOperator && <p className="text-warn">{t("stop.by_operator")}</p>}
      {byOwner && <p className="text-warn">{t("stop.stopped")}</p>}
      <Button size="small" kind={byOwner ? "plain" : "quiet"} onClick={() => setAsking(true)}>
        {t(byOwner ? "stop.start" : "stop.stop")}
      </Button>
      {asking && <Confirm stopped={!byOwner} onClose={() => setAsking(false)} />}
    </div>
  );
}

const EFFECTS = {
  stop: ["stop.effect_orders", "stop.effect_refused", "stop.effect_money"],
  start: ["stop.effect_taken"],
} as const;

/** Says what will happen, and does it once the user confirms and the account's own wallet has signed. */
function Confirm({ stopped, onClose }: { readonly stopped: boolean; readonly onClose: () => void }) {
  const action = useAction();
  const [mirrored, mirror] = useMirror();
  const go = async () => {
    if (await action.run(() => stopTrading(stopped, mirror))) onClose();
  };
  return (
    <Dialog title={t(stopped ? "stop.stop" : "stop.start")} onClose={onClose}>
      <ul className="list-disc ps-5 text-text">
        {EFFECTS[stopped ? "stop" : "start"].map((effect) => (
          <li key={effect}>{t(effect)}</li>
        ))}
      </ul>
      <p className="text-xs text-soft">{t("stop.own_key")}</p>
      {mirrored && <Mirrored data={mirrored} />}
      {action.failed && <Failure>{action.failed}</Failure>}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t("close")}</Button>
        <Button kind={stopped ? "danger" : "primary"} busy={action.busy} onClick={() => void go()}>
          {t(stopped ? "stop.confirm" : "stop.start")}
        </Button>
      </div>
    </Dialog>
  );
}
