import { useState } from "react";
import { theExchange } from "@/app/exchange";
import { fromOwnNode, goToChain, isWrongChain, useWallet } from "@/features/wallet/store";
import type { PlainCall } from "@/lib/chain/plainCall";
import { t } from "@/lib/i18n";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Fact, Facts } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { Dialog } from "@/ui/Dialog";
import { Failure } from "@/ui/States";
import { sendCall } from "./sending";
import { c } from "./texts";

export interface Sending {
  readonly title: string;
  /** What will happen and when, a sentence each. */
  readonly effects: readonly string[];
  readonly call: PlainCall;
  readonly danger?: boolean;
}

interface Props {
  readonly sending: Sending;
  readonly then: () => void;
  readonly onClose: () => void;
}

/** Shows exactly what the wallet will be asked to sign, and asks it. The exchange's server has no part in it. */
export function Transaction({ sending, then, onClose }: Props) {
  const wallet = useWallet((state) => state.wallet);
  const wrong = useWallet(isWrongChain);
  const action = useAction();
  const [mined, setMined] = useState<string | null>(null);
  const { call } = sending;
  const go = () =>
    action.run(async () => {
      if (!wallet) throw new Error("connect a wallet first");
      const hash = await sendCall(wallet.signer, call);
      await fromOwnNode((chain) => chain.mined(hash));
      setMined(hash);
      then();
    });
  return (
    <Dialog title={sending.title} onClose={onClose} wide>
      <ul className="list-disc ps-5 text-text">
        {sending.effects.map((effect) => (
          <li key={effect}>{effect}</li>
        ))}
      </ul>
      <Facts>
        <Fact name={c("transaction.contract")}>
          <Copied text={call.to} whole />
        </Fact>
        <Fact name={c("transaction.function")}>
          <code dir="ltr">{call.signature}</code>
        </Fact>
        <Fact name={c("transaction.arguments")}>
          <code dir="ltr" className="break-all">
            {call.args.join(", ") || "–"}
          </code>
        </Fact>
        <Fact name={c("transaction.data")}>
          <Copied text={call.data} />
        </Fact>
      </Facts>
      <details className="text-xs text-soft">
        <summary className="cursor-pointer">{t("leave.command")}</summary>
        <code
          dir="ltr"
          className="mt-1 block overflow-x-auto rounded bg-raised p-2 text-start font-mono text-text select-all"
        >
          {call.command}
        </code>
      </details>
      {wrong && (
        <div className="flex flex-wrap items-center gap-2 text-sell">
          <p>{t("banner.wrong_chain", { chain: `${theExchange().chain_id}` })}</p>
          <Button size="small" onClick={() => void action.run(goToChain)}>
            {t("banner.switch_chain")}
          </Button>
        </div>
      )}
      {action.failed && <Failure>{action.failed}</Failure>}
      {mined && (
        <p role="status" className="flex items-center gap-2 text-buy">
          {c("transaction.mined")} <Copied text={mined} />
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{mined ? t("close") : c("confirm.leave")}</Button>
        {!mined && (
          <Button
            kind={sending.danger ? "danger" : "primary"}
            busy={action.busy}
            disabled={!wallet || wrong}
            onClick={() => void go()}
          >
            {action.busy ? t("leave.sending") : c("transaction.sign")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
