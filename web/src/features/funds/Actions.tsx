import { useState } from "react";
import { openDialog } from "@/app/dialogs";
import { Forced } from "@/features/leave/Forced";
import { SendCall } from "@/features/leave/Step";
import { useOnChain, useSender } from "@/features/leave/useOnChain";
import type { Token } from "@/lib/api/types";
import type { Address, TypedData } from "@/lib/chain/typedData";
import { localDateTime, t } from "@/lib/i18n";
import { tokenText } from "@/lib/money/amounts";
import { spanText } from "@/lib/span";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { FRAME } from "@/ui/Page";
import { Segments } from "@/ui/Segments";
import { Failure, Loading } from "@/ui/States";
import { Tabs } from "@/ui/Tabs";
import { type Money, MoneyFields, useMoney } from "./MoneyFields";
import { OwnAddress } from "./OwnAddress";
import { sendSigned } from "./signed";
import type { Funds } from "./useFunds";

type Tab = "deposit" | "withdraw" | "move";

interface ActionsProps {
  readonly account: Address;
  readonly funds: Funds | null;
  readonly again: () => void;
}

/** Deposit, withdraw, and move between trading and funding. */
export function Actions(props: ActionsProps) {
  const [tab, setTab] = useState<Tab>("deposit");
  const tabs = [
    { id: "deposit", text: t("funds.deposit") },
    { id: "withdraw", text: t("funds.withdraw") },
    { id: "move", text: t("funds.move") },
  ] as const;
  return (
    <section aria-label={t("funds.actions")} className={`bg-panel ${FRAME}`}>
      <Tabs label={t("funds.actions")} tabs={tabs} value={tab} onChange={setTab}>
        <div className="flex flex-col gap-4 p-4">
          {tab === "deposit" && <Deposit account={props.account} />}
          {tab === "withdraw" && <Withdraw {...props} />}
          {tab === "move" && <Move {...props} />}
        </div>
      </Tabs>
    </section>
  );
}

// coming

function Deposit({ account }: { readonly account: Address }) {
  return (
    <>
      <div className="flex flex-col items-start gap-2">
        <h3 className="font-semibold text-text">{t("funds.from_wallet")}</h3>
        <p className="text-soft">{t("funds.from_wallet_hint")}</p>
        <Button kind="primary" onClick={() => openDialog("deposit")}>
          {t("funds.open_deposit")}
        </Button>
      </div>
      <OwnAddress account={account} />
    </>
  );
}

// leaving

function Withdraw({ account, funds, again }: ActionsProps) {
  const [way, setWay] = useState<"fast" | "forced">("fast");
  const chain = useOnChain(account);
  return (
    <>
      <Segments
        label={t("funds.withdraw")}
        value={way}
        onChange={setWay}
        options={[
          { value: "fast", text: t("funds.fast") },
          { value: "forced", text: t("funds.forced") },
        ]}
      />
      {way === "fast" && <Fast account={account} funds={funds} again={again} />}
      {way === "forced" &&
        (chain.value ? (
          <>
            <p className="text-soft">
              {t("leave.some_hint", {
                delay: spanText(chain.value.delay),
                window: spanText(chain.value.claimWindow),
              })}
            </p>
            <Forced account={account} chain={chain} mine />
          </>
        ) : chain.failed ? (
          <Failure>{chain.failed}</Failure>
        ) : (
          <Loading label={t("loading")} />
        ))}
    </>
  );
}

const amountOf = (
  funds: Funds | null,
  token: Token,
  field: "withdrawable" | "available" | "funding_on_chain",
) => {
  const row = funds?.account.balances.find((one) => one.asset_id === token.asset_id);
  return funds ? BigInt(row?.[field] ?? "0") : null;
};

function Fast({ account, funds, again }: ActionsProps) {
  const form = useMoney(
    account,
    (token) => amountOf(funds, token, "withdrawable"),
    (token) => BigInt(token.min_withdrawal),
  );
  if (!form) return null;
  return (
    <>
      <p className="text-soft">{t("funds.fast_hint")}</p>
      <MoneyFields form={form} most={amountOf(funds, form.token, "withdrawable")} withRecipient />
      <Approvals money={form} funds={funds} />
      <Signed kind="Withdrawal" money={form} text={t("funds.sign_withdrawal")} then={again} />
    </>
  );
}

/** Whether people must agree first, because so much may not leave at once. */
function Approvals({ money, funds }: { readonly money: Money; readonly funds: Funds | null }) {
  const row = funds?.outflow?.tokens.find((one) => one.token_id === money.token.token_id);
  if (!funds?.outflow || row?.available == null || money.units === null) return null;
  const free = BigInt(row.available) * BigInt(money.token.unit);
  if (money.units <= free) return null;
  return (
    <p role="status" className="rounded-md border border-warn/50 bg-warn/10 p-3">
      {t("funds.needs_approvals", {
        available: tokenText(free, money.token),
        asset: money.token.symbol,
        threshold: funds.outflow.threshold,
        approvers: funds.outflow.approvers.length,
      })}
    </p>
  );
}

interface SignedProps {
  readonly kind: "Withdrawal" | "FundingTransfer";
  readonly money: Money;
  readonly text: string;
  readonly then: () => void;
}

/** Sign and send, with what the wallet asks for in plain words meanwhile. */
function Signed({ kind, money, text, then }: SignedProps) {
  const action = useAction();
  const [asked, setAsked] = useState<TypedData | null>(null);
  const [done, setDone] = useState(false);
  const send = async () => {
    setDone(false);
    const good = await action.run(() => sendSigned(kind, money, setAsked));
    setDone(good);
    then();
  };
  return (
    <>
      {action.failed && <Failure>{action.failed}</Failure>}
      {asked && (
        <div
          role="status"
          className="flex flex-col gap-1 rounded-md border border-accent bg-accent/10 p-3 text-xs"
        >
          <p className="font-semibold text-strong">{t("funds.asks")}</p>
          <p className="break-words">
            {t(kind === "Withdrawal" ? "funds.asks_withdrawal" : "funds.asks_funding", {
              amount: tokenText(asked.message.amount as bigint, money.token),
              asset: money.token.symbol,
              recipient: `${asked.message.recipient ?? ""}`,
              until: localDateTime(Number(asked.message.deadline) * 1_000),
            })}
          </p>
        </div>
      )}
      {done && (
        <p role="status" className="text-buy">
          {t("funds.accepted")}
        </p>
      )}
      <Button
        kind="primary"
        size="large"
        busy={action.busy}
        disabled={money.units === null}
        onClick={() => void send()}
      >
        {text}
      </Button>
    </>
  );
}

// between trading and funding

type Direction = "in" | "back" | "out";

function Move({ account, funds, again }: ActionsProps) {
  const [direction, setDirection] = useState<Direction>("in");
  const field = direction === "in" ? "withdrawable" : "funding_on_chain";
  const form = useMoney(account, (token) => amountOf(funds, token, field));
  const sender = useSender(again);
  if (!form) return null;
  const token = form.token.address as Address;
  const units = form.units ?? 0n;
  return (
    <>
      <Segments
        label={t("funds.move")}
        value={direction}
        onChange={setDirection}
        options={[
          { value: "in", text: t("funds.to_funding") },
          { value: "back", text: t("funds.to_trading") },
          { value: "out", text: t("funds.out") },
        ]}
      />
      <p className="text-soft">
        {t(
          direction === "in"
            ? "funds.to_funding_hint"
            : direction === "back"
              ? "funds.to_trading_hint"
              : "funds.out_hint",
        )}
      </p>
      {sender.failed && <Failure>{sender.failed}</Failure>}
      <MoneyFields
        form={form}
        most={amountOf(funds, form.token, field)}
        withRecipient={direction === "out"}
      />
      {direction === "in" && (
        <Signed kind="FundingTransfer" money={form} text={t("funds.send_to_funding")} then={again} />
      )}
      {direction === "back" && (
        <SendCall
          text={t("funds.send_to_trading")}
          name="move_to_trading"
          args={[token, units]}
          sender={sender}
          mine
          disabled={form.units === null}
        />
      )}
      {direction === "out" && (
        <SendCall
          text={t("funds.send_out")}
          name="withdraw_funding"
          args={[token, units, form.recipientError ? account : form.recipient]}
          sender={sender}
          mine
          disabled={form.units === null}
        />
      )}
    </>
  );
}
