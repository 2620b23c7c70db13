import { type ReactNode, useEffect } from "react";
import { openDialog } from "@/app/dialogs";
import { useWallet } from "@/features/wallet/store";
import { localTime, t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { Failure } from "@/ui/States";
import { closeConsole, openConsole, renewSession, useConsole } from "./session";
import { c, word } from "./texts";

const EVERY_MS = 10_000;

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
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-panel border border-line bg-panel p-3 text-xs">
        <span className="text-soft">{c("gate.as")}</span>
        <Copied text={session.address} />
        {session.roles.map((role) => (
          <Badge key={role} tone="plain">
            {word("role", role)}
          </Badge>
        ))}
        <span className="text-soft">{c("gate.until", { time: localTime(session.until) })}</span>
        {!session.commands && <span className="text-warn">{c("gate.looks_only")}</span>}
        <Button size="small" className="ms-auto" onClick={closeConsole}>
          {c("gate.close")}
        </Button>
      </div>
      {children}
    </>
  );
}

function Closed() {
  const wallet = useWallet((state) => state.wallet);
  const closed = useConsole((state) => state.closed);
  const action = useAction();
  return (
    <section
      aria-label={c("gate.title")}
      className="flex max-w-2xl flex-col items-start gap-3 rounded-panel border border-line bg-panel p-4"
    >
      <p>{c("gate.who")}</p>
      <p className="text-soft">{c("gate.session")}</p>
      {(action.failed ?? closed) && <Failure>{action.failed ?? closed}</Failure>}
      {wallet ? (
        <>
          <p className="flex items-center gap-2 text-soft">
            {t("wallet.yours")} <Copied text={wallet.signer.address} whole />
          </p>
          <Button kind="primary" busy={action.busy} onClick={() => void action.run(openConsole)}>
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
