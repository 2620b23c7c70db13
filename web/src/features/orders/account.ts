/**
 * The account that is signed in, live: balances and open orders from the stream, fills with their settlement from the
 * mirror. Events carry absolute values, so applying one twice is harmless.
 */
import { create } from "zustand";
import { useExchange } from "@/app/exchange";
import { stream } from "@/app/stream";
import { useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { Fill, Order } from "@/lib/api/types";
import type { ChannelState, Message } from "@/lib/stream/client";
import { raiseNonces } from "./place";

export interface LiveBalance {
  readonly asset_id: number;
  readonly available: bigint;
  readonly held: bigint;
  readonly reserved: bigint;
  readonly unsettled: bigint;
  readonly deficit: bigint;
}

export interface OpenOrder {
  readonly order_id: number;
  readonly order_hash: string;
  readonly market: number;
  readonly side: "buy" | "sell" | "buy_quote";
  readonly price: bigint;
  readonly quantity: bigint;
  readonly remaining: bigint;
  readonly nonce: string;
  readonly expiry: number;
  readonly triggerPrice: bigint;
  readonly waiting: boolean;
}

interface AccountState {
  readonly state: ChannelState;
  readonly status: string;
  readonly balances: ReadonlyMap<number, LiveBalance>;
  readonly orders: ReadonlyMap<number, OpenOrder>;
  readonly fills: readonly Fill[];
  /** Counts closed orders, so that the history knows when to look again. */
  readonly closed: number;
  /** Counts deposits that were credited. */
  readonly credits: number;
  readonly notices: readonly Notice[];
  /** Who has the account's orders refused; null while nobody has said. */
  readonly stops: Stops | null;
  /** When the exchange ends all open orders unless that is put off, in its milliseconds; 0: never, null while nobody has said. */
  readonly countdownAt: number | null;
  /** When it last did while the account was followed; 0 for never. */
  readonly countdownFiredAt: number;
}

export interface Stops {
  readonly byOwner: boolean;
  readonly byOperator: boolean;
}

/** Something that happened to the account and deserves a word. */
export interface Notice {
  readonly id: number;
  readonly event: string;
  readonly row: Readonly<Record<string, unknown>>;
}

const NOTHING: AccountState = {
  state: "stale",
  status: "unknown",
  balances: new Map(),
  orders: new Map(),
  fills: [],
  closed: 0,
  credits: 0,
  notices: [],
  stops: null,
  countdownAt: null,
  countdownFiredAt: 0,
};

export const useAccount = create<AccountState>(() => NOTHING);

const FILLS = 100;
const SETTLING_MS = 1_000;
/** How often fills are read that do not move: the chain may take back even what was final. */
const RESTING_MS = 30_000;
const NOTICED = new Set(["fill", "order_closed", "credited", "trade_reversed", "order_triggered"]);
const KEPT_NOTICES = 6;
let notices = 0;

type Row = Record<string, string | number | boolean>;

const balanceOf = (row: Row): LiveBalance => ({
  asset_id: Number(row.asset_id),
  available: BigInt(row.available as string),
  held: BigInt(row.held as string),
  reserved: BigInt(row.reserved as string),
  unsettled: BigInt(row.unsettled as string),
  deficit: BigInt(row.deficit as string),
});

const orderOf = (row: Row): OpenOrder => ({
  order_id: Number(row.order_id),
  order_hash: String(row.order_hash),
  market: Number(row.market),
  side: row.side as OpenOrder["side"],
  price: BigInt(row.price as string),
  quantity: BigInt(row.quantity as string),
  remaining: BigInt((row.remaining ?? row.quantity) as string),
  nonce: String(row.nonce),
  expiry: Number(row.expiry),
  triggerPrice: BigInt((row.trigger_price as string | undefined) ?? "0"),
  waiting: Boolean(row.waiting),
});

function onSnapshot(message: Message): void {
  const balances = (message.balances as Row[]).map(balanceOf);
  const orders = (message.orders as Row[]).map(orderOf);
  useAccount.setState({
    status: String(message.status),
    balances: new Map(balances.map((balance) => [balance.asset_id, balance])),
    orders: new Map(orders.map((order) => [order.order_id, order])),
  });
  void refreshFills();
  void readBrakes();
}

/** Ask who has stopped the account's trading, and for its countdown: the snapshot does not say. What an event says meanwhile is later. */
async function readBrakes(): Promise<void> {
  useAccount.setState({ stops: null, countdownAt: null });
  const { session } = useWallet.getState();
  const { brakes } = await api.account().catch(() => ({ brakes: null }));
  if (!brakes || useWallet.getState().session?.token !== session?.token) return;
  const told = { byOwner: brakes.trading_stopped_by_owner, byOperator: brakes.trading_stopped_by_operator };
  const countdownAt = brakes.countdown_at * 1_000;
  useAccount.setState((now) => ({ stops: now.stops ?? told, countdownAt: now.countdownAt ?? countdownAt }));
}

/** The state after one event. */
function after(now: AccountState, row: Row): Partial<AccountState> {
  const id = Number(row.order_id);
  const order = now.orders.get(id);
  const orders = new Map(now.orders);
  switch (row.event) {
    case "balance":
      return { balances: new Map(now.balances).set(Number(row.asset_id), balanceOf(row)) };
    case "order_accepted":
      return { orders: orders.set(id, orderOf(row)) };
    case "order_amended":
    case "fill":
    case "order_reduced":
      if (order) orders.set(id, { ...order, remaining: BigInt(row.remaining as string) });
      return { orders };
    case "order_triggered":
      if (order) orders.set(id, { ...order, waiting: false });
      return { orders };
    case "order_closed":
      orders.delete(id);
      return {
        orders,
        closed: now.closed + 1,
        ...(row.reason === "countdown" && { countdownFiredAt: Number(row.at) }),
      };
    case "credited":
      return { credits: now.credits + 1 };
    case "countdown":
      return { countdownAt: Number(row.countdown_at) * 1_000 };
    case "trading_stop":
      return { stops: { byOwner: Boolean(row.by_owner), byOperator: Boolean(row.by_operator) } };
    case "account_changed":
      raiseNonces(BigInt(row.min_nonce as string));
      return { status: String(row.status) };
    default:
      return {};
  }
}

function onEvents(rows: Row[]): void {
  let fresh = false;
  useAccount.setState((before) => {
    let now = before;
    for (const row of rows) {
      now = { ...now, ...after(now, row) };
      if (NOTICED.has(String(row.event))) {
        const notice = { id: ++notices, event: String(row.event), row };
        now = { ...now, notices: [...now.notices, notice].slice(-KEPT_NOTICES) };
      }
      fresh ||= row.event === "fill" || row.event === "trade_reversed";
    }
    return now;
  });
  if (fresh) void refreshFills();
  for (const row of rows) {
    if (row.event === "order_triggered") triggered.add(Number(row.order_id));
    if (row.event === "order_accepted") void lookUpTriggers(Number(row.seq));
  }
}

/** Orders of which the stream has said that their price has come. */
const triggered = new Set<number>();
const LOOK_TRIES = 10;
const LOOK_MS = 250;
let looking = false;
let wanted = 0;

/** The event of a new order does not say what it waits for; the mirror does, once it has come so far. */
async function lookUpTriggers(seq: number): Promise<void> {
  wanted = Math.max(wanted, seq);
  if (looking) return;
  looking = true;
  try {
    for (let tries = 0; tries < LOOK_TRIES; tries++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const page = await api.orders({ status: "open", limit: FILLS });
      if (page.journal_seq >= wanted) return mergeTriggers(page.orders);
    }
  } catch {
    // the next snapshot says it
  } finally {
    looking = false;
  }
}

function mergeTriggers(known: readonly Order[]): void {
  useAccount.setState((now) => {
    const orders = new Map(now.orders);
    for (const order of known) {
      const there = orders.get(order.order_id);
      if (!there || order.trigger_type === "none") continue;
      const waiting = order.triggered_at === null && !triggered.has(order.order_id);
      orders.set(order.order_id, { ...there, triggerPrice: BigInt(order.trigger_price), waiting });
    }
    return { orders };
  });
}

/** Say no more about a notice. */
export function dismiss(id: number): void {
  useAccount.setState((now) => ({ notices: now.notices.filter((notice) => notice.id !== id) }));
}

let timer: ReturnType<typeof setTimeout> | undefined;
let turn = 0;

/** Read the fills, and read them again while any of them is on its way to being final. */
async function refreshFills(): Promise<void> {
  clearTimeout(timer);
  const mine = ++turn;
  const { session } = useWallet.getState();
  if (!session) return;
  try {
    const page = await api.fills({ limit: FILLS });
    if (mine !== turn || useWallet.getState().session?.token !== session.token) return;
    useAccount.setState({ fills: page.fills });
    const moving = page.fills.some((fill) => fill.status !== "final" && fill.status !== "reversed");
    const behind = useAccount
      .getState()
      .notices.some(({ event, row }) => event === "fill" && Number(row.seq) > page.journal_seq);
    if (moving || behind) timer = setTimeout(() => void refreshFills(), SETTLING_MS);
    else if (page.fills.length) timer = setTimeout(() => void refreshFills(), RESTING_MS);
  } catch {
    if (mine === turn) timer = setTimeout(() => void refreshFills(), SETTLING_MS * 3);
  }
}

// fewer batches on chain than before: a reorganisation took some back, and who knows whose
useExchange.subscribe(({ status }, before) => {
  if (status && before.status && status.batches_settled < before.status.batches_settled) void refreshFills();
});

let leave: (() => void) | null = null;
let followed: string | null = null;

/** Follow the account of the session, whichever it is. */
export function followAccount(): void {
  useWallet.subscribe(({ session }) => {
    const token = session?.token ?? null;
    if (token === followed) return;
    followed = token;
    clearTimeout(timer);
    leave?.();
    leave = null;
    useAccount.setState(NOTHING);
    if (!token) return;
    leave = stream.subscribe("account", {
      message: (message) => {
        if (message.type === "snapshot") onSnapshot(message);
        else onEvents(message.events as Row[]);
      },
      state: (state) => useAccount.setState({ state }),
    });
  });
}
