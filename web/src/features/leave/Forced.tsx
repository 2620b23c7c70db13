import { MoneyFields, useMoney } from "@/features/funds/MoneyFields";
import type { AccountOnChain, TokenOnChain } from "@/lib/chain/ledger";
import type { Address } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import { tokenText } from "@/lib/money/amounts";
import { spanText } from "@/lib/span";
import { Failure } from "@/ui/States";
import { SendCall } from "./Step";
import { type OnChain, useSender } from "./useOnChain";

interface ForcedProps {
  readonly account: Address;
  readonly chain: OnChain;
  readonly mine: boolean;
}

/** A withdrawal out of trading that needs nobody: asked for on chain, due after the delay, claimed within its window. */
export function Forced({ account, chain, mine }: ForcedProps) {
  const sender = useSender(chain.again);
  const found = chain.value;
  const rowOf = (id: number): TokenOnChain | undefined =>
    found?.tokens.find((one) => one.token.token_id === id);
  const tokens = found?.tokens.map((row) => row.token);
  const form = useMoney(account, (token) => rowOf(token.token_id)?.trading ?? null, undefined, tokens);
  if (!found || !form) return null;
  return (
    <div className="flex flex-col gap-3">
      {sender.failed && <Failure>{sender.failed}</Failure>}
      {found.tokens.map((row) =>
        row.request ? (
          <Open
            key={row.token.token_id}
            row={row}
            account={account}
            chain={chain}
            mine={mine}
            sender={sender}
          />
        ) : null,
      )}
      <MoneyFields form={form} most={rowOf(form.token.token_id)?.trading ?? null} withRecipient />
      <SendCall
        text={t("leave.ask")}
        name="request_withdraw"
        args={[form.token.address as Address, form.units ?? 0n, form.units ? form.recipient : account]}
        sender={sender}
        mine={mine}
        disabled={form.units === null || !mayAsk(rowOf(form.token.token_id), chain.now)}
      />
    </div>
  );
}

/** There is one open request for each token. */
const mayAsk = (row: TokenOnChain | undefined, now: number): boolean =>
  !row?.request || now > row.request.lapsesAt;

interface OpenProps extends ForcedProps {
  readonly row: AccountOnChain["tokens"][number];
  readonly sender: ReturnType<typeof useSender>;
}

function Open({ row, account, chain, mine, sender }: OpenProps) {
  const { token, request } = row;
  if (!request) return null;
  const params = {
    amount: tokenText(request.amount * BigInt(token.unit), token),
    asset: token.symbol,
    recipient: `${request.recipient.slice(0, 8)}…`,
  };
  const due = chain.now >= request.claimableAt || chain.value?.frozen === true;
  const lapsed = chain.now > request.lapsesAt;
  return (
    <div
      data-request={token.symbol}
      className="flex flex-col gap-2 rounded-md border border-line bg-raised/50 p-3"
    >
      <p role="timer" className={lapsed ? "text-sell" : due ? "text-buy" : "text-warn"}>
        {lapsed
          ? t("leave.lapsed", params)
          : due
            ? t("leave.due", { ...params, time: spanText(request.lapsesAt - chain.now) })
            : t("leave.waits", { ...params, time: spanText(request.claimableAt - chain.now) })}
      </p>
      <div className="flex flex-wrap items-start gap-2">
        {due && !lapsed && (
          <SendCall
            text={t("leave.claim", params)}
            name="claim_withdraw"
            args={[account, token.address as Address]}
            sender={sender}
            mine={mine}
          />
        )}
        <SendCall
          text={t("leave.cancel_request")}
          name="cancel_withdraw_request"
          args={[token.address as Address]}
          sender={sender}
          mine={mine}
          kind="plain"
        />
      </div>
    </div>
  );
}
