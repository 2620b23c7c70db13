/** From what an order means to a signed one in the journal: preview, sign, send; and the same for cancels and amends. */
import { confirmedExchange, exchangeNow, theExchange } from "@/app/exchange";
import { fromOwnNode, orderSigner, ownNodes, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { ApiError, Unreachable } from "@/lib/api/errors";
import type {
  Ack,
  CancelOrder,
  Countdown,
  OrderFields,
  PlaceGroup,
  PlaceOrder,
  Preview,
} from "@/lib/api/types";
import type { Signer } from "@/lib/chain/signer";
import { type Address, domainOf, type Fields, type Hex, type TypedData } from "@/lib/chain/typedData";
import { t } from "@/lib/i18n";
import type { Meant } from "./draft";
import { isCapWithin, type Priced, previewKey } from "./feeCap";
import { Nonces } from "./nonces";

const SIDES = { buy: 0n, sell: 1n, buy_quote: 2n } as const;

/** The cap that a preview is asked with, which nobody signs; also the most that is signed where no node can be asked. */
const PREVIEW_BPS = 100;

let nonces: Nonces | null = null;

/** The next nonce of this page. */
function nextNonce(singleFill: boolean): bigint {
  nonces ??= new Nonces(BigInt(Math.floor(exchangeNow())));
  return nonces.next(singleFill);
}

/** Skip the nonces that the account has ended by a cancel-all. */
export function raiseNonces(minimum: bigint): void {
  nonces ??= new Nonces(BigInt(Math.floor(exchangeNow())));
  nonces.raiseTo(minimum);
}

/** The unsigned order, as the API takes it. */
export function fieldsOf(
  meant: Meant,
  account: Address,
  market: number,
  nonce: bigint,
  feeCap: number,
): OrderFields {
  return {
    account,
    market,
    side: meant.side,
    price: `${meant.price}`,
    quantity: `${meant.quantity}`,
    nonce: `${nonce}`,
    expiry: meant.expiry,
    max_fee_bps: feeCap,
    trigger_price: `${meant.triggerPrice}`,
    terms: `${meant.terms}`,
  };
}

/** What the order would pay and meet now; nothing is signed and nothing changes. */
export function previewOf(meant: Meant, account: Address, market: number): Promise<Preview> {
  const nonce = meant.singleFill ? 1n << 63n : 0n;
  return api.preview(
    fieldsOf(meant, account, market, nonce | BigInt(Math.floor(exchangeNow())), PREVIEW_BPS),
  );
}

/** The order as its wallet shows it. */
export function typedOrder(fields: OrderFields): TypedData {
  return {
    domain: domainOf(theExchange()),
    primaryType: "Order",
    message: {
      account: fields.account,
      market: BigInt(fields.market),
      side: SIDES[fields.side],
      price: BigInt(fields.price),
      quantity: BigInt(fields.quantity),
      nonce: BigInt(fields.nonce),
      expiry: BigInt(fields.expiry),
      trigger_price: BigInt(fields.trigger_price ?? "0"),
      max_fee_bps: BigInt(fields.max_fee_bps),
      terms: BigInt(fields.terms ?? "0"),
    },
  };
}

/** Told what the wallet is about to be asked to sign; the answer is called when it has been. */
export type Mirror = (data: TypedData) => () => void;

export const noMirror: Mirror = () => () => undefined;

/** The contract's own cap on fees, by the contract's address; it never changes. */
const caps = new Map<string, number>();

/** Refuse to sign for an exchange that is not confirmed, and a fee cap that the contract would never take. Without any node to ask, a hundredth is the most. */
async function checkCap(feeCap: number): Promise<void> {
  const custody = confirmedExchange().contract as Address;
  if (!caps.has(custody) && ownNodes().length) {
    const { feeCapOf } = await import("@/lib/chain/ledger");
    caps.set(custody, (await fromOwnNode((chain) => feeCapOf(chain, custody))).value);
  }
  const most = caps.get(custody) ?? PREVIEW_BPS;
  if (!isCapWithin(feeCap, most)) throw new Error(t("form.fee_above", { cap: feeCap, most }));
}

/** Sign an order with the cap that was shown, and place it. The answer comes when it is durable. */
export async function placeOrder(
  { meant, feeCap }: Priced,
  market: number,
  mirror: Mirror = noMirror,
): Promise<Ack> {
  const account = accountNow();
  await checkCap(feeCap);
  const fields = fieldsOf(meant, account, market, nextNonce(meant.singleFill), feeCap);
  return api.place(await signed(fields, mirror));
}

/** Two legs that were sent, of which nobody knows yet whether they were taken; `meaning` is what the form asked for. */
let unanswered: { readonly meaning: string; readonly group: PlaceGroup } | null = null;

/**
 * Sign both legs of which only one ever fills by one signature, and place both or neither.
 * If no answer came the last time, the very same legs are sent again, and nothing is signed: so they are placed once.
 */
export async function placeTwo(
  first: Priced,
  second: Priced,
  market: number,
  mirror: Mirror = noMirror,
): Promise<Ack> {
  const account = accountNow();
  await Promise.all([checkCap(first.feeCap), checkCap(second.feeCap)]);
  const meaning = [account, market, previewKey(first.meant), previewKey(second.meant)].join();
  if (unanswered?.meaning !== meaning) {
    const fields = [first, second].map(({ meant, feeCap }) =>
      fieldsOf(meant, account, market, nextNonce(meant.singleFill), feeCap),
    ) as [OrderFields, OrderFields];
    const legs = await signedTogether(fields, mirror);
    unanswered = { meaning, group: { first: legs[0], second: legs[1] } };
  }
  const { group } = unanswered;
  try {
    const answer = await api.placeGroup(group);
    unanswered = null;
    return answer.first;
  } catch (error) {
    if (!isUnknown(error)) unanswered = null;
    throw error;
  }
}

/** Whether it may have been done all the same. */
function isUnknown(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiError && error.params.outcome === "unknown");
}

/** Two orders under one signature: a tree of two, in which each proves its place by the hash of the other. */
async function signedTogether(
  fields: readonly [OrderFields, OrderFields],
  mirror: Mirror,
): Promise<[PlaceOrder, PlaceOrder]> {
  const { signer } = await orderSigner();
  const { structHashOf } = await import("@/lib/chain/keys");
  const orders = fields.map((one) => typedOrder(one).message as Fields);
  const data: TypedData = {
    domain: domainOf(theExchange()),
    primaryType: "BulkOrder",
    message: { tree: orders },
  };
  const signature = await mirrored(data, signer, mirror);
  const [left, right] = orders.map(structHashOf) as [Hex, Hex];
  const common = { ...domainFields(), signature, scheme: "bulk", client_order_id: "" } as const;
  return [
    { ...fields[0], ...common, index: 0, path: [right] },
    { ...fields[1], ...common, index: 1, path: [left] },
  ];
}

/** Put another order on the nonce of an open one. */
export async function amendOrder(
  { meant, feeCap }: Priced,
  market: number,
  nonce: bigint,
  mirror: Mirror,
): Promise<Ack> {
  const account = accountNow();
  await checkCap(feeCap);
  return api.amend(await signed(fieldsOf(meant, account, market, nonce, feeCap), mirror));
}

async function signed(fields: OrderFields, mirror: Mirror): Promise<PlaceOrder> {
  const { signer, scheme } = await orderSigner();
  const signature = await mirrored(typedOrder(fields), signer, mirror);
  return { ...fields, ...domainFields(), signature, scheme, index: 0, path: [], client_order_id: "" };
}

/** The signature, with what is signed on the page while the wallet asks. */
async function mirrored(data: TypedData, signer: Signer, mirror: Mirror): Promise<Hex> {
  const done = signer.asks ? mirror(data) : () => undefined;
  try {
    return await signer.signTypedData(data);
  } finally {
    done();
  }
}

async function signedCancel(nonce: string, mirror: Mirror): Promise<CancelOrder> {
  const account = accountNow();
  const { signer } = await orderSigner();
  const message = { account, nonce: BigInt(nonce) };
  const data: TypedData = { domain: domainOf(theExchange()), primaryType: "Cancel", message };
  return { account, nonce, ...domainFields(), signature: await mirrored(data, signer, mirror) };
}

/** Cancel the order on a nonce. */
export const cancelOrder = async (nonce: string, mirror: Mirror): Promise<Ack> =>
  api.cancel(await signedCancel(nonce, mirror));

/** What is cancelled at once, as it is signed. */
const CANCELLED = { buy: 0n, sell: 1n, both: 2n } as const;
export type CancelledSide = keyof typeof CANCELLED;

let lastBrake = 0n;

/** Nonces of what only stops: the time in milliseconds, and never the same twice. */
function brakeNonce(): bigint {
  const now = BigInt(Math.floor(exchangeNow()));
  lastBrake = now > lastBrake ? now : lastBrake + 1n;
  return lastBrake;
}

/** Cancel all open orders, or those of one side, in a market (0: in all). */
export async function cancelAll(market: number, side: CancelledSide, mirror: Mirror): Promise<Ack> {
  const account = accountNow();
  const { signer } = await orderSigner();
  const nonce = brakeNonce();
  const message = { account, market: BigInt(market), side: CANCELLED[side], nonce };
  const data: TypedData = { domain: domainOf(theExchange()), primaryType: "MassCancel", message };
  const signature = await mirrored(data, signer, mirror);
  return api.massCancel({ account, market, side, nonce: `${nonce}`, ...domainFields(), signature });
}

/** All open orders end so many seconds from when it is taken, unless another is taken before; 0 ends that. */
export async function signedCountdown(seconds: number, mirror: Mirror): Promise<Countdown> {
  const account = accountNow();
  const { signer } = await orderSigner();
  const nonce = brakeNonce();
  const message = { account, seconds: BigInt(seconds), nonce };
  const data: TypedData = { domain: domainOf(theExchange()), primaryType: "Countdown", message };
  const signature = await mirrored(data, signer, mirror);
  return { account, seconds, nonce: `${nonce}`, ...domainFields(), signature };
}

/** Have all orders of the account refused and the open ones cancelled, or orders taken again. Only its own key may. */
export async function stopTrading(stopped: boolean, mirror: Mirror): Promise<Ack> {
  const { wallet } = useWallet.getState();
  const account = accountNow();
  if (!wallet) throw new Error("connect a wallet first");
  const nonce = brakeNonce();
  const message = { account, stopped: stopped ? 1n : 0n, nonce };
  const data: TypedData = { domain: domainOf(theExchange()), primaryType: "TradingStop", message };
  const signature = await mirrored(data, wallet.signer, mirror);
  return api.tradingStop({ account, stopped, nonce: `${nonce}`, ...domainFields(), signature });
}

function domainFields(): { chain_id: number; contract: string } {
  const { domain } = theExchange();
  return { chain_id: domain.chainId, contract: domain.verifyingContract };
}

function accountNow(): Address {
  const { wallet } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  return wallet.signer.address;
}
