import { type ReactNode, useId } from "react";
import { useLink } from "@/app/stream";
import { localTime, t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Switch } from "@/ui/Field";
import { Failure } from "@/ui/States";
import { useAccount } from "./account";
import { arm, CHOICES, disarm, useCountdown, useSignsAlone } from "./countdown";
import { Ending } from "./Ending";
import { Mirrored, useMirror } from "./Mirrored";

/** Whether the exchange ends the orders when it hears this page no more, after how long, and how that stands. */
export function CancelOnDisconnect() {
  const id = useId();
  const { on, seconds } = useCountdown();
  const signsAlone = useSignsAlone();
  const action = useAction();
  const [mirrored, mirror] = useMirror();
  const turn = (wanted: boolean) => void action.run(() => (wanted ? arm(seconds) : disarm(mirror)));
  const choose = (wanted: number) => {
    if (on) void action.run(() => arm(wanted));
    else useCountdown.setState({ seconds: wanted });
  };
  return (
    <section
      aria-label={t("disconnect.switch")}
      data-testid="cancel-on-disconnect"
      className="flex flex-col gap-1 border-t border-line px-4 py-2 text-xs"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Switch
          label={t("disconnect.switch")}
          checked={on}
          onChange={turn}
          disabled={action.busy || (!on && !signsAlone)}
          describedBy={id}
        />
        <select
          aria-label={t("disconnect.seconds")}
          value={`${seconds}`}
          disabled={!signsAlone}
          onChange={(event) => choose(Number(event.target.value))}
          className="h-7 rounded-md border border-line bg-raised px-2 text-text disabled:opacity-60"
        >
          {CHOICES.map((choice) => (
            <option key={choice} value={`${choice}`}>
              {t("disconnect.choice", { seconds: choice })}
            </option>
          ))}
        </select>
        <Standing />
      </div>
      <p id={id} className="text-soft">
        {t("disconnect.what", { seconds })} {!on && !signsAlone && t("disconnect.needs_key")}
      </p>
      {mirrored && <Mirrored data={mirrored} />}
      {action.failed && <Failure>{action.failed}</Failure>}
    </section>
  );
}

/** How it stands now. */
function Standing() {
  const { on, endsAt, failed } = useCountdown();
  const lost = useLink((link) => link.connection !== "open");
  const others = useAccount((account) => account.countdownAt);
  const time = localTime(on ? endsAt : (others ?? 0));
  const is = (tone: string, text: ReactNode) => (
    <p role="status" className={`font-medium ${tone}`}>
      {text}
    </p>
  );
  if (!on) return others ? is("text-warn", t("disconnect.others", { time })) : null;
  if (!endsAt && !failed) return null;
  if (lost) return is("text-warn", <Ending at={endsAt} />);
  if (!failed) return is("text-buy", t("disconnect.heard"));
  return is("text-warn", t(endsAt ? "disconnect.not_set" : "disconnect.never_set", { time, reason: failed }));
}
