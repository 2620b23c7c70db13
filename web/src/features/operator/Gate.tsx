import { type ReactNode, useEffect, useState } from "react";
import { openDialog } from "@/app/dialogs";
import { exchangeNow } from "@/app/exchange";
import { useWallet } from "@/features/wallet/store";
import type { OperatorSession } from "@/lib/api/types";
import { localTime, t } from "@/lib/i18n";
import { spanText } from "@/lib/span";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { Failure } from "@/ui/States";
import { closeConsole, openConsole, renewSession, useConsole } from "./session";
import { c, word } from "./texts";

const EVERY_MS = 10_000;
/** From here on the end of the session is near. */
const SOON_SECONDS = 120;

/** Lets in who has a role, and says plainly to everybody else why not. */
export function Gate({ children }: { readonly children: ReactNode }) {
  const session = useConsole((state) => state.session);
  useEffect(() => {
    if (!session) return;
    const timer = setInterval(() => void renewSession().catch(() => undefined), EVERY_MS);
    return () => clearInterval(timer);
  }, [session]);
  if (!session) return <Closed />;
  return (
    <>
      <Opened session={session} />
      {children}
    </>
  );
}

/** Whose session this is, until when, and what it may do. */
function Opened({ session }: { readonly session: OperatorSession }) {
  return (
    <section
      aria-label={c("gate.as")}
      className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-panel border border-line bg-panel p-3 text-xs"
    >
      <span className="flex flex-wrap items-center gap-2">
        <span className="text-soft">{c("gate.as")}</span>
        <Copied text={session.address} />
        {session.roles.map((role) => (
          <Badge key={role} tone="plain">
            {word("role", role)}
          </Badge>
        ))}
      </span>
      <Left until={session.until} />
      <Button size="small" className="ms-auto" onClick={closeConsole}>
        {c("gate.close")}
      </Button>
      <p className={`w-full ${session.commands ? "text-soft" : "text-warn"}`}>
        {c(session.commands ? "gate.commands" : "gate.looks_only")} {c("gate.never")}
      </p>
    </section>
  );
}

/** The session's time, as a clock that runs out. */
function Left({ until }: { readonly until: number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = (until - exchangeNow()) / 1_000;
  return (
    <span className={left < SOON_SECONDS ? "text-warn" : "text-soft"}>
      {c("gate.until", { time: localTime(until) })}
      {" · "}
      <span role="timer" aria-label={c("gate.left")}>
        <bdi>{spanText(left)}</bdi>
      </span>
    </span>
  );
}

function Closed() {
  const wallet = useWallet((state) => state.wallet);
  const closed = useConsole((state) => state.closed);
  const asked = useConsole((state) => state.asked);
  const action = useAction();
  return (
    <section
      aria-label={c("gate.title")}
      className="flex max-w-2xl flex-col items-start gap-3 rounded-panel border border-line bg-panel p-4"
    >
      <h2 className="font-semibold text-strong">{c("gate.title")}</h2>
      <p>{c("gate.who")}</p>
      <dl className="flex flex-col gap-3">
        <Said name={c("gate.signs")}>{c("gate.signs_1")}</Said>
        <Said name={c("gate.lasts")}>{c("gate.lasts_1")}</Said>
        <Said name={c("gate.may")}>
          <ul className="ms-4 list-disc">
            <li>{c("gate.may_operator")}</li>
            <li>{c("gate.may_others")}</li>
            <li>{c("gate.never")}</li>
          </ul>
        </Said>
      </dl>
      {asked && (
        <div
          role="status"
          className="flex w-full flex-col gap-2 rounded-md border border-accent bg-accent/10 p-3"
        >
          <p className="font-semibold text-strong">{c("gate.asks", { minutes: asked.minutes })}</p>
          <p lang="en" dir="ltr" className="whitespace-pre-wrap break-words font-mono text-xs">
            {asked.text}
          </p>
        </div>
      )}
      {(action.failed ?? closed) && <Failure>{action.failed ?? closed}</Failure>}
      {wallet ? (
        <>
          <p className="flex flex-wrap items-center gap-x-2 text-soft">
            {t("wallet.yours")} <Copied text={wallet.signer.address} whole />
          </p>
          <Button
            kind="primary"
            busy={action.busy || asked !== null}
            onClick={() => void action.run(openConsole)}
          >
            {c("gate.open")}
          </Button>
        </>
      ) : (
        <Button kind="primary" onClick={() => openDialog("wallet")}>
          {t("wallet.connect")}
        </Button>
      )}
    </section>
  );
}

function Said({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt className="font-medium text-text">{name}</dt>
      <dd className="text-soft">{children}</dd>
    </div>
  );
}
