/** Withdrawals and transfers that the account signs and the exchange sends. */
import { confirmedExchange, exchangeNow, theExchange } from "@/app/exchange";
import { useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { WithdrawalAck } from "@/lib/api/types";
import { domainOf, TYPES, type TypedData } from "@/lib/chain/typedData";
import type { Money } from "./MoneyFields";

const DAY_SECONDS = 86_400;

/** Told what the wallet is asked to sign, and null when it has been. */
export type Asked = (data: TypedData | null) => void;

let lastNonce = 0n;

/** Withdrawal nonces only need to be unused: the time is. */
function nextNonce(): bigint {
  const now = BigInt(Math.floor(exchangeNow()));
  lastNonce = now > lastNonce ? now : lastNonce + 1n;
  return lastNonce;
}

/** A withdrawal, or a transfer to funding, as its wallet shows it; `fields` are those of the signed message. */
export function typedWithdrawal(fields: Readonly<Record<string, string>>): TypedData {
  const primaryType = "recipient" in fields ? "Withdrawal" : "FundingTransfer";
  const message = Object.fromEntries(
    TYPES[primaryType].map(({ name, type }) => [
      name,
      type === "address" ? (fields[name] ?? "") : BigInt(fields[name] ?? "0"),
    ]),
  );
  return { domain: domainOf(theExchange()), primaryType, message };
}

/** Sign and send a withdrawal out of trading, or a transfer into funding. The answer comes when the money is held. */
export async function sendSigned(
  kind: "Withdrawal" | "FundingTransfer",
  money: Money,
  asked: Asked,
): Promise<WithdrawalAck> {
  const { wallet } = useWallet.getState();
  if (!wallet || money.units === null) throw new Error("connect a wallet first");
  const deadline = Math.floor(exchangeNow() / 1_000) + DAY_SECONDS;
  const fields = {
    account: wallet.signer.address,
    token: money.token.address,
    amount: `${money.units}`,
    max_fee: "0",
    nonce: `${nextNonce()}`,
  };
  const recipient = kind === "Withdrawal" ? { recipient: money.recipient } : {};
  const domain = domainOf(confirmedExchange());
  const message = {
    ...fields,
    ...recipient,
    amount: money.units,
    max_fee: 0n,
    nonce: BigInt(fields.nonce),
    deadline: BigInt(deadline),
  };
  const data: TypedData = { domain, primaryType: kind, message };
  if (wallet.signer.asks) asked(data);
  try {
    const signature = await wallet.signer.signTypedData(data);
    const place = { chain_id: domain.chainId, contract: domain.verifyingContract };
    const body = { ...fields, ...place, deadline, signature };
    return kind === "Withdrawal"
      ? await api.withdraw({ ...body, recipient: money.recipient })
      : await api.moveToFunding(body);
  } finally {
    asked(null);
  }
}
