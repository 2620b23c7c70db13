import { useState } from "react";
import { useExchange } from "@/app/exchange";
import type { Token } from "@/lib/api/types";
import type { Address } from "@/lib/chain/typedData";
import { localNumber, t } from "@/lib/i18n";
import { tokenText } from "@/lib/money/amounts";
import { parseDecimal, pow10, scaleExactly, trimmed } from "@/lib/money/decimal";
import { Button } from "@/ui/Button";
import { Field, Select } from "@/ui/Field";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export interface Money {
  readonly token: Token;
  /** Token units: null while what stands there cannot be sent. */
  readonly units: bigint | null;
  readonly recipient: Address;
}

interface MoneyForm extends Money {
  readonly tokens: readonly Token[];
  readonly text: string;
  readonly error: string | undefined;
  readonly recipientError: string | undefined;
  setToken(id: string): void;
  setText(text: string): void;
  setRecipient(text: string): void;
}

/** A token of `listed`, or of those that the exchange names, an amount of it, and whom to pay. Bounds are in ledger units. */
export function useMoney(
  owner: Address,
  most: (token: Token) => bigint | null,
  least: (token: Token) => bigint = () => 1n,
  listed?: readonly Token[],
): MoneyForm | null {
  const named = useExchange((known) => known.exchange?.tokens ?? NO_TOKENS);
  const tokens = listed ?? named;
  const [id, setToken] = useState("0");
  const [text, setText] = useState("");
  const [recipient, setRecipient] = useState<string>(owner);
  const token = tokens.find((one) => `${one.token_id}` === id);
  if (!token) return null;
  const unit = BigInt(token.unit);
  const typed = text ? parseDecimal(text) : null;
  const units = typed && scaleExactly(typed, pow10(token.decimals), 1n);
  const top = most(token);
  const whole = units !== null && units > 0n && units % unit === 0n;
  const error = !text
    ? undefined
    : !whole
      ? t("funds.bad_digits", { least: localNumber(trimmed(unit, token.decimals)), asset: token.symbol })
      : top !== null && units > top * unit
        ? t("funds.too_much")
        : units < least(token) * unit
          ? t("funds.too_little", { least: tokenText(least(token) * unit, token), asset: token.symbol })
          : undefined;
  const recipientError = ADDRESS.test(recipient) ? undefined : t("funds.bad_recipient");
  return {
    tokens,
    token,
    text,
    units: whole && !error && !recipientError ? units : null,
    recipient: recipient as Address,
    error,
    recipientError,
    setToken,
    setText,
    setRecipient,
  };
}

const NO_TOKENS: readonly Token[] = [];

interface FieldsProps {
  readonly form: MoneyForm;
  /** Ledger units; null when that is not known. */
  readonly most: bigint | null;
  readonly withRecipient?: boolean;
}

export function MoneyFields({ form, most, withRecipient = false }: FieldsProps) {
  const { token } = form;
  const top = most === null ? null : most * BigInt(token.unit);
  const hint =
    top === null ? undefined : t("funds.most", { amount: tokenText(top, token), asset: token.symbol });
  return (
    <>
      <Select
        label={t("funds.token")}
        value={`${token.token_id}`}
        onChange={form.setToken}
        options={form.tokens.map((one) => ({ value: `${one.token_id}`, text: one.symbol }))}
      />
      <div className="flex items-start gap-2">
        <Field
          label={t("funds.amount")}
          value={form.text}
          onChange={form.setText}
          inputMode="decimal"
          unit={token.symbol}
          error={form.error}
          hint={hint}
          className="min-w-0 flex-1"
        />
        {top !== null && (
          <Button className="h-10" onClick={() => form.setText(trimmed(top, token.decimals))}>
            {t("funds.all")}
          </Button>
        )}
      </div>
      {withRecipient && (
        <Field
          label={t("funds.recipient")}
          dir="ltr"
          value={form.recipient}
          onChange={form.setRecipient}
          error={form.recipientError}
        />
      )}
    </>
  );
}
