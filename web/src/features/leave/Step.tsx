import { type ReactNode, useEffect, useState } from "react";
import type { leavingCall, PlainCall } from "@/lib/chain/leaving";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/Button";
import { useLeft } from "./left";
import type { Sender } from "./useOnChain";

type Encoder = typeof leavingCall;

/** The encoder of calls, when it has been loaded. */
function useEncoder(): Encoder | null {
  const [encoder, setEncoder] = useState<Encoder | null>(null);
  useEffect(() => {
    void import("@/lib/chain/leaving").then((loaded) => setEncoder(() => loaded.leavingCall));
  }, []);
  return encoder;
}

interface SendProps {
  readonly text: string;
  readonly name: Parameters<Encoder>[1];
  readonly args?: readonly (Address | bigint)[];
  /** Another contract than the custody. */
  readonly to?: Address;
  readonly sender: Sender;
  /** Whether the connected wallet is the account's. */
  readonly mine: boolean;
  readonly kind?: "primary" | "plain" | "danger";
  readonly disabled?: boolean;
}

/** A call of the contract: a button, and the command that does the same without this page. */
export function SendCall({
  text,
  name,
  args = [],
  to,
  sender,
  mine,
  kind = "primary",
  disabled = false,
}: SendProps) {
  const encoder = useEncoder();
  const custody = useLeft()?.contract as Address | undefined;
  const place = to ?? custody;
  const call: PlainCall | null = encoder && place ? encoder(place, name, args) : null;
  const busy = call !== null && sender.sending === call.command;
  return (
    <div className="flex flex-col items-start gap-1.5">
      <Button
        kind={kind}
        busy={busy}
        disabled={!call || !mine || disabled || sender.sending !== null}
        onClick={() => call && void sender.send(call)}
      >
        {busy ? t("leave.sending") : text}
      </Button>
      {call && (
        <details className="w-full text-xs text-soft">
          <summary className="cursor-pointer">{t("leave.command")}</summary>
          <code
            dir="ltr"
            className="mt-1 block overflow-x-auto rounded bg-raised p-2 text-start font-mono text-text select-all"
          >
            {call.command}
          </code>
        </details>
      )}
    </div>
  );
}

interface StepProps {
  readonly title: string;
  readonly hint?: string;
  readonly children: ReactNode;
}

/** One way out. */
export function Step({ title, hint, children }: StepProps) {
  return (
    <section aria-label={title} className="flex flex-col gap-3 rounded-panel border border-line bg-panel p-4">
      <h2 className="text-base font-semibold text-strong">{title}</h2>
      {hint && <p className="max-w-3xl text-soft">{hint}</p>}
      {children}
    </section>
  );
}
