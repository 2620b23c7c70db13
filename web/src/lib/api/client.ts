/** REST: typed answers, or an `ApiError` with the exchange's own sentence. */
import { refusalOf, Unreachable } from "./errors";
import type * as T from "./types";

const TIMEOUT_MS = 15_000;
/** What waits for blocks. */
const MINING_MS = 60_000;

/** Where private reads get their session from; the wallet's store sets it. */
let token: string | null = null;
let onEnded: () => void = () => undefined;

export function setToken(value: string | null, ended: () => void = () => undefined): void {
  token = value;
  onEnded = ended;
}

/** Whose session a request carries, and who is told when the exchange does not take it any more. */
export interface Bearer {
  readonly token: string | null;
  readonly ended: () => void;
}

async function request<A>(
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  bearer: Bearer = { token, ended: onEnded },
  timeout = TIMEOUT_MS,
): Promise<A> {
  const headers: Record<string, string> = {};
  if (bearer.token) headers.authorization = `Bearer ${bearer.token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
  } catch (error) {
    throw new Unreachable(`the exchange does not answer: ${error instanceof Error ? error.message : error}`);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer as A;
  const refusal = refusalOf(response.status, answer);
  if (refusal.code === "unauthenticated" && bearer.token) bearer.ended();
  throw refusal;
}

/** Query parameters without those that are undefined. */
export function query(values: Record<string, string | number | undefined>): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

type Page = { before?: number | undefined; limit?: number | undefined };

export const api = {
  get: <A>(path: string, bearer?: Bearer) => request<A>("GET", path, undefined, bearer),
  post: <A>(path: string, body?: unknown, bearer?: Bearer) => request<A>("POST", path, body, bearer),

  exchange: () => request<T.Exchange>("GET", "/v1/exchange"),
  status: () => request<T.Status>("GET", "/v1/status"),
  announcements: () => request<T.Announcements>("GET", "/v1/announcements"),
  markets: () => request<T.Market[]>("GET", "/v1/markets"),
  ticker: (market: string) => request<T.Ticker>("GET", `/v1/markets/${market}/ticker`),
  candles: (market: string, interval: string, limit: number, end?: number) =>
    request<T.CandlePage>("GET", `/v1/markets/${market}/candles${query({ interval, limit, end })}`),

  nonce: () => request<T.NonceAnswer>("POST", "/v1/auth/nonce"),
  login: (message: string, signature: string) =>
    request<T.LoginAnswer>("POST", "/v1/auth/login", { message, signature }),
  logout: () => request<unknown>("POST", "/v1/auth/logout"),

  account: () => request<T.Account>("GET", "/v1/account"),
  orders: (options: { market?: string | undefined; status?: string | undefined } & Page) =>
    request<T.OrderPage>("GET", `/v1/orders${query(options)}`),
  fills: (options: { market?: string | undefined; order_id?: number | undefined } & Page) =>
    request<T.FillPage>("GET", `/v1/fills${query(options)}`),

  preview: (order: T.OrderFields) => request<T.Preview>("POST", "/v1/orders/preview", order),
  place: (order: T.PlaceOrder) => request<T.Ack>("POST", "/v1/orders", order),
  placeGroup: (group: T.PlaceGroup) => request<T.GroupAck>("POST", "/v1/orders/group", group),
  amend: (order: T.PlaceOrder) => request<T.Ack>("POST", "/v1/orders/amend", order),
  cancel: (cancel: T.CancelOrder) => request<T.Ack>("POST", "/v1/orders/cancel", cancel),
  massCancel: (cancel: T.MassCancel) => request<T.Ack>("POST", "/v1/orders/mass-cancel", cancel),
  tradingStop: (stop: T.TradingStop) => request<T.Ack>("POST", "/v1/orders/trading-stop", stop),

  reserves: () => request<T.Reserves>("GET", "/v1/reserves"),
  batches: (options: Page) => request<T.BatchPage>("GET", `/v1/fees/batches${query(options)}`),
  fees: () => request<T.Fees>("GET", "/v1/fees"),
  receipt: (order: string | number) => request<T.ReceiptAnswer>("GET", `/v1/orders/${order}/receipt`),
  withdrawalReceipt: (hash: string) => request<T.SignedReceipt>("GET", `/v1/withdrawals/${hash}/receipt`),

  depositAddress: () => request<T.DepositAddress>("POST", "/v1/account/deposit-address"),
  deposits: (options: { before?: string | undefined; limit?: number | undefined }) =>
    request<T.DepositPage>("GET", `/v1/deposits${query(options)}`),
  withdrawals: (options: Page) => request<T.WithdrawalPage>("GET", `/v1/withdrawals${query(options)}`),
  outflow: () => request<T.Outflow>("GET", "/v1/outflow"),
  withdraw: (signed: T.WithdrawalRequest) => request<T.WithdrawalAck>("POST", "/v1/withdrawals", signed),
  moveToFunding: (signed: T.FundingTransferRequest) =>
    request<T.WithdrawalAck>("POST", "/v1/funding-transfers", signed),

  faucet: (address: string) =>
    request<T.FaucetAnswer>("POST", "/v1/faucet", { address }, undefined, MINING_MS),
};
