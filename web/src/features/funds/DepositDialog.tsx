import { useCallback, useEffect, useRef, useState } from "react";
import { confirmedExchange, useExchange } from "@/app/exchange";
import { useAccount } from "@/features/orders/account";
import { theChain, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { Token } from "@/lib/api/types";
import type { Address } from "@/lib/chain/typedData";
import { localNumber, t } from "@/lib/i18n";
import { parseDecimal, pow10, scaleExactly, trimmed } from "@/lib/money/decimal";
import { useAction } from "@/lib/useAction";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Select } from "@/ui/Field";
import { Failure } from "@/ui/States";

/** Wei that stay in the wallet for gas when everything is deposited. */
const GAS_RESERVE = 10n ** 16n;
/** Half of the wallet's is the first suggestion. */
const FIRST_SHARE = 2n;

const custodyCalls = () => import("@/lib/chain/custody");

/** Deposit from the wallet into the trading balance: one transaction, with a permit where the token takes one. */
export function DepositDialog({ onClose }: { readonly onClose: () => void }) {
  const exchange = useExchange((known) => known.exchange);
  const wallet = useWallet((state) => state.wallet);
  const [tokenId, setTokenId] = useState("0");
  const token = exchange?.tokens.find((one) => `${one.token_id}` === tokenId);
  return (
    <Dialog title={t("deposit.title")} onClose={onClose}>
      {exchange && wallet && token ? (
        <>
          <Select
            label={t("deposit.token")}
            value={tokenId}
            onChange={setTokenId}
            options={exchange.tokens.map((one) => ({ value: `${one.token_id}`, text: one.symbol }))}
          />
          <Amount
            key={tokenId}
            token={token}
            owner={wallet.signer.address}
            plays={exchange.faucet && wallet.kind === "burner"}
            onClose={onClose}
          />
        </>
      ) : (
        <p>{t("form.connect_first")}</p>
      )}
    </Dialog>
  );
}

interface AmountProps {
  readonly token: Token;
  readonly owner: Address;
  /** Whether an empty wallet is filled without being asked: a newcomer's, with play money. */
  readonly plays: boolean;
  readonly onClose: () => void;
}

function Amount({ token, owner, plays, onClose }: AmountProps) {
  const [held, setHeld] = useState<bigint | null>(null);
  const [text, setText] = useState<string | null>(null);
  /** How many deposits were credited when this one was sent; null until it is mined. */
  const [sent, setSent] = useState<number | null>(null);
  const action = useAction();
  const faucet = useExchange((known) => known.exchange?.faucet);
  const signedIn = useWallet((state) => state.session !== null);
  const confirmations = useExchange((known) => known.exchange?.credit_confirmations ?? 0);

  const look = useCallback(async () => {
    const { tokenBalance, isEth } = await custodyCalls();
    const units = await tokenBalance(theChain(), token, owner);
    setHeld(units);
    const spare = isEth(token) ? (units > GAS_RESERVE ? units - GAS_RESERVE : 0n) : units;
    const suggested = (spare / FIRST_SHARE / BigInt(token.unit)) * BigInt(token.unit);
    if (suggested) setText((typed) => typed ?? trimmed(suggested, token.decimals));
    return units;
  }, [token, owner]);
  const { run } = action;
  const ask = useCallback(() => run(() => api.faucet(owner).then(look)), [run, owner, look]);
  const filled = useRef(!plays);
  useEffect(() => {
    void look()
      .then((units) => {
        if (filled.current || units) return;
        filled.current = true;
        void ask();
      })
      .catch(() => setHeld(0n));
  }, [look, ask]);

  const typed = text ? parseDecimal(text) : null;
  const units = typed && scaleExactly(typed, pow10(token.decimals), 1n);
  const whole = units !== null && units % BigInt(token.unit) === 0n;
  const error =
    !text || units === 0n
      ? undefined
      : !whole
        ? t("deposit.digits", { least: trimmed(BigInt(token.unit), token.decimals), asset: token.symbol })
        : held !== null && units > held
          ? t("deposit.too_much")
          : undefined;

  const send = async () => {
    const { wallet } = useWallet.getState();
    if (!wallet || !units) return;
    const { credits } = useAccount.getState();
    const done = await action.run(async () => {
      const { deposit } = await custodyCalls();
      const { contract, chain_id } = confirmedExchange();
      await deposit(theChain(), wallet.signer, contract as Address, token, units, chain_id);
    });
    if (done) setSent(credits);
  };

  if (sent !== null) return <Sent before={sent} confirmations={confirmations} onClose={onClose} />;
  return (
    <>
      {action.failed && <Failure>{action.failed}</Failure>}
      <Field
        label={t("deposit.amount")}
        value={text ?? ""}
        onChange={setText}
        inputMode="decimal"
        unit={token.symbol}
        error={error}
        hint={
          held === null
            ? t("loading")
            : t("deposit.held", { amount: localNumber(trimmed(held, token.decimals)), asset: token.symbol })
        }
      />
      <p className="text-xs text-soft">{t("deposit.explain", { count: confirmations })}</p>
      {!signedIn && <p className="text-xs text-warn">{t("deposit.not_signed_in")}</p>}
      <div className="flex gap-2">
        <Button
          kind="primary"
          size="large"
          className="flex-1"
          busy={action.busy}
          disabled={!units || Boolean(error)}
          onClick={() => void send()}
        >
          {action.busy
            ? t("deposit.sending")
            : t("deposit.send", { amount: localNumber(text ?? ""), asset: token.symbol })}
        </Button>
        {faucet && (
          <Button size="large" disabled={action.busy} onClick={() => void ask()}>
            {t("deposit.faucet")}
          </Button>
        )}
      </div>
    </>
  );
}

interface SentProps {
  readonly before: number;
  readonly confirmations: number;
  readonly onClose: () => void;
}

/** The deposit is mined: wait here, with the dialog closing by itself, until it can be traded; it may be already. */
function Sent({ before, confirmations, onClose }: SentProps) {
  const credits = useAccount((state) => state.credits);
  useEffect(() => {
    if (credits > before) onClose();
  }, [credits, before, onClose]);
  return (
    <div role="status" className="flex flex-col gap-3">
      <p className="font-medium text-buy">{t("deposit.mined")}</p>
      <p className="text-soft">{t("deposit.waiting", { count: confirmations })}</p>
      <Button onClick={onClose}>{t("close")}</Button>
    </div>
  );
}
