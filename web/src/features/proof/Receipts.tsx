import { useCallback, useId, useState } from "react";
import { openDialog } from "@/app/dialogs";
import { theExchange, useExchange } from "@/app/exchange";
import { typedWithdrawal } from "@/features/funds/signed";
import { useUnitsById } from "@/features/orders/cells";
import { typedOrder } from "@/features/orders/place";
import { fromOwnNode, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { sentenceOf } from "@/lib/api/errors";
import type { Exchange, Order, Withdrawal } from "@/lib/api/types";
import type { Bond } from "@/lib/chain/ledger";
import type { Told } from "@/lib/chain/nodes";
import type { Address } from "@/lib/chain/typedData";
import { localDateTime, localNumber, t } from "@/lib/i18n";
import { tokenText } from "@/lib/money/amounts";
import { fixed, trimmed } from "@/lib/money/decimal";
import { save } from "@/lib/save";
import { usePolled } from "@/lib/usePolled";
import { Button } from "@/ui/Button";
import { Badge, Fact, Facts } from "@/ui/Card";
import { Copied } from "@/ui/Copied";
import { FRAME } from "@/ui/Page";
import { Panel } from "@/ui/Panel";
import { Empty, Failure, Loading } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Asked } from "./Asked";
import type { Expected, Receipt, Verdict } from "./receipt";
import { isBonded, receiptStanding } from "./standing";
import { useHasNode } from "./useReserves";

const EVERY_MS = 20_000;
const SHOWN = 10;
const ETH_DIGITS = 18;
const TONES = { good: "good", bad: "bad", alone: "warn" } as const;
const checker = () => import("./receipt");

const expectedOf = (exchange: Exchange, subject?: string): Expected => ({
  name: exchange.domain.name,
  chainId: exchange.chain_id,
  bond: exchange.operator_bond,
  signer: exchange.receipt_signer,
  ...(subject ? { subject } : {}),
});

/** What a row is about. */
type Signed = { readonly order: Order } | { readonly withdrawal: Withdrawal };

interface Row {
  readonly signed: Signed;
  readonly receipt: Receipt | null;
  readonly verdict: Verdict | null;
  /** Whether the chain holds a bond against the key that signed. */
  readonly bonded: boolean;
  /** Why there is none. */
  readonly failed: string | null;
}

/** The receipt must be of what stands in the row, under the user's own account, whatever hash the exchange names for it. */
async function rowOf(signed: Signed, account: Address, bonded: boolean): Promise<Row> {
  try {
    const { receipt, subject } = await ("order" in signed
      ? ofOrder(signed.order, account)
      : ofWithdrawal(signed.withdrawal, account));
    const { verify } = await checker();
    const verdict = await verify(receipt, expectedOf(theExchange(), subject));
    return { signed, receipt, verdict, bonded, failed: null };
  } catch (error) {
    return { signed, receipt: null, verdict: null, bonded, failed: sentenceOf(error) };
  }
}

async function ofOrder(order: Order, account: Address) {
  const { receipt, legs = [] } = await api.receipt(order.order_hash);
  const { hashOf, subjectOf } = await checker();
  return { receipt, subject: subjectOf(hashOf(typedOrder({ ...order, account })), legs) };
}

async function ofWithdrawal({ withdrawal_hash, message }: Withdrawal, account: Address) {
  const { receipt } = await api.withdrawalReceipt(withdrawal_hash);
  const { hashOf } = await checker();
  return { receipt, subject: hashOf(typedWithdrawal({ ...message, account })) };
}

/** The latest of both, newest first. */
async function latestSigned(): Promise<Signed[]> {
  const [{ orders }, { withdrawals }] = await Promise.all([
    api.orders({ limit: SHOWN }),
    api.withdrawals({ limit: SHOWN }),
  ]);
  const signed = [
    ...orders.map((order) => ({ order })),
    ...withdrawals.map((withdrawal) => ({ withdrawal })),
  ];
  return signed.sort((one, other) => takenAt(other) - takenAt(one));
}

const takenAt = (signed: Signed): number =>
  "order" in signed ? signed.order.created_at : signed.withdrawal.created_at;

/** The bond behind the receipt key, as the chain has it; null when no node says. */
async function theBond(): Promise<Told<Bond> | null> {
  const { bondOf } = await import("@/lib/chain/ledger");
  const bond = theExchange().operator_bond as Address;
  return fromOwnNode((chain) => bondOf(chain, bond)).catch(() => null);
}

const isKeyBonded = async (): Promise<boolean> =>
  isBonded((await theBond())?.value ?? null, theExchange().receipt_signer);

/** The user's own receipts, each verified in this page, and any other that is pasted. */
export function Receipts() {
  const [text, setText] = useState("");
  const session = useWallet((state) => state.session);
  const read = useCallback(async () => {
    if (!session) return [];
    const [latest, bonded] = await Promise.all([latestSigned(), isKeyBonded()]);
    return Promise.all(latest.map((signed) => rowOf(signed, session.address, bonded)));
  }, [session]);
  const { value, state, failed } = usePolled(session ? read : null, EVERY_MS);
  return (
    <Panel title={t("receipts.title")} state={session ? state : "live"} className={FRAME}>
      <p className="p-3 text-soft">{t("receipts.explain")}</p>
      <Key />
      {failed && (
        <div className="p-3">
          <Failure>{failed}</Failure>
        </div>
      )}
      {!session && (
        <Empty action={<Button onClick={() => openDialog("wallet")}>{t("wallet.connect")}</Button>}>
          {t("receipts.signed_out")}
        </Empty>
      )}
      {session && !value && !failed && <Loading label={t("loading")} />}
      {value?.length === 0 && <Empty>{t("receipts.none")}</Empty>}
      {value && value.length > 0 && (
        <Rows rows={value} onOpen={(receipt) => setText(JSON.stringify(receipt, null, 2))} />
      )}
      <Check text={text} onText={setText} />
    </Panel>
  );
}

/** The receipt key, and whether the chain holds a bond against it. */
function Key() {
  const exchange = useExchange((known) => known.exchange);
  const hasNode = useHasNode();
  const bond = exchange?.operator_bond;
  const { value: told } = usePolled(hasNode && bond ? theBond : null, EVERY_MS);
  const value = told?.value ?? null;
  if (!exchange) return null;
  const same = value && value.signer.toLowerCase() === exchange.receipt_signer.toLowerCase();
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-y border-line px-3 py-2 text-xs">
      <span className="text-soft">{t("receipts.key")}</span>
      <Copied text={exchange.receipt_signer} />
      {value &&
        (value.slashed ? (
          <Badge tone="bad">{t("receipts.key_slashed")}</Badge>
        ) : same && value.wei === 0n ? (
          <span className="text-sell">{t("receipts.key_empty")}</span>
        ) : same ? (
          <span className="text-buy">
            {t("receipts.key_bonded", { amount: localNumber(trimmed(value.wei, ETH_DIGITS)) })}
          </span>
        ) : (
          <span className="text-sell">{t("receipts.key_differs", { found: value.signer })}</span>
        ))}
      {told && <Asked node={told.node} contract={bond} />}
    </div>
  );
}

function Rows({
  rows,
  onOpen,
}: {
  readonly rows: readonly Row[];
  readonly onOpen: (receipt: Receipt) => void;
}) {
  const units = useUnitsById();
  const columns: Column<Row>[] = [
    {
      name: t("receipts.signed"),
      cell: ({ signed }) => {
        if ("withdrawal" in signed) return withdrawalText(signed.withdrawal);
        const { order } = signed;
        const market = units(order.market);
        if (!market) return order.order_id;
        const quantity = fixed(BigInt(order.quantity) * market.lotSize, market.base.decimals);
        return `${market.symbol} · ${localNumber(quantity.replace(/\.?0+$/, ""))}`;
      },
    },
    {
      name: t("receipts.seq"),
      number: true,
      cell: (row) => (row.receipt ? localNumber(`${row.receipt.seq}`) : "–"),
    },
    { name: t("receipts.at"), cell: (row) => (row.receipt ? localDateTime(row.receipt.at_ms) : "–") },
    {
      name: t("receipts.verdict"),
      cell: ({ verdict, bonded, failed }) =>
        verdict ? (
          <Badge tone={TONES[receiptStanding(verdict, bonded)]}>
            {t(`receipts.${receiptStanding(verdict, bonded)}`)}
          </Badge>
        ) : (
          <span className="text-warn">{failed}</span>
        ),
    },
    {
      name: t("receipts.open"),
      quiet: true,
      cell: ({ receipt }) =>
        receipt && (
          <Button size="small" onClick={() => onOpen(receipt)}>
            {t("receipts.open")}
          </Button>
        ),
    },
  ];
  return (
    <Table
      caption={t("receipts.title")}
      testId="receipts"
      columns={columns}
      rows={rows}
      id={({ signed }) => ("order" in signed ? signed.order.order_hash : signed.withdrawal.withdrawal_hash)}
    />
  );
}

/** Kind and amount, by the message that was signed. */
function withdrawalText({ message }: Withdrawal): string {
  const kind = t("recipient" in message ? "history.withdrawal" : "history.funding_transfer");
  const { token: address = "", amount = "" } = message;
  const token = theExchange().tokens.find((one) => one.address.toLowerCase() === address.toLowerCase());
  return token && /^\d+$/.test(amount)
    ? `${kind} · ${tokenText(BigInt(amount), token)} ${token.symbol}`
    : `${kind} · ${amount} ${address}`;
}

/** Any receipt: what it says, and whether it is what was signed. */
function Check({ text, onText }: { readonly text: string; readonly onText: (text: string) => void }) {
  const id = useId();
  const [found, setFound] = useState<(Checked & { text: string }) | null>(null);
  const run = async () => {
    const { readReceipt, verify } = await checker();
    const read = readReceipt(text);
    if ("text" in read) {
      const verdict = { good: false, faults: [read], root: null, signedBy: null };
      setFound({ text, verdict, receipt: null, bonded: false });
    } else {
      const [verdict, bonded] = await Promise.all([verify(read, expectedOf(theExchange())), isKeyBonded()]);
      setFound({ text, verdict, receipt: read, bonded });
    }
  };
  const shown = found?.text === text ? found : null;
  return (
    <div className="flex flex-col gap-3 border-t border-line p-3">
      <label htmlFor={id} className="font-semibold text-text">
        {t("receipts.check")}
      </label>
      <textarea
        id={id}
        dir="ltr"
        value={text}
        rows={7}
        spellCheck={false}
        placeholder={t("receipts.paste")}
        onChange={(event) => onText(event.target.value)}
        className="w-full rounded-md border border-line bg-raised p-2 font-mono text-xs text-text placeholder:text-soft"
      />
      <div className="flex gap-2">
        <Button kind="primary" disabled={!text.trim()} onClick={() => void run()}>
          {t("receipts.verify")}
        </Button>
        <Button disabled={!text.trim()} onClick={() => save("receipt.json", "application/json", text)}>
          {t("receipts.save")}
        </Button>
      </div>
      {shown && <Finding {...shown} />}
    </div>
  );
}

interface Checked {
  readonly verdict: Verdict;
  readonly receipt: Receipt | null;
  readonly bonded: boolean;
}

const BOXES = {
  good: { box: "border-buy bg-buy/10", text: "text-buy", mark: "✓ " },
  bad: { box: "border-sell bg-sell/10", text: "text-sell", mark: "✗ " },
  alone: { box: "border-warn bg-warn/10", text: "text-warn", mark: "… " },
} as const;

function Finding({ verdict, receipt, bonded }: Checked) {
  const standing = receiptStanding(verdict, bonded);
  const { box, text, mark } = BOXES[standing];
  return (
    <div
      role="status"
      data-testid="verdict"
      data-good={standing === "good"}
      className={`flex flex-col gap-2 rounded-md border p-3 ${box}`}
    >
      <p className={`font-semibold ${text}`}>
        <span aria-hidden="true">{mark}</span>
        {t(`receipts.${standing}`)}
      </p>
      {verdict.faults.map((one) => (
        <p key={one.text} className="break-words">
          {t(one.text, one.params)}
        </p>
      ))}
      {receipt && (
        <Facts>
          <Fact name={t("receipts.seq")}>{localNumber(`${receipt.seq}`)}</Fact>
          <Fact name={t("receipts.at")}>{localDateTime(receipt.at_ms)}</Fact>
          {verdict.root && (
            <Fact name={t("receipts.root")}>
              <Copied text={verdict.root} />
            </Fact>
          )}
          {verdict.signedBy && (
            <Fact name={t("receipts.signed_by")}>
              <Copied text={verdict.signedBy} />
            </Fact>
          )}
        </Facts>
      )}
    </div>
  );
}
