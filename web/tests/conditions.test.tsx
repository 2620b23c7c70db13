import { renderToStaticMarkup } from "react-dom/server";
import { expect, test, vi } from "vitest";
import type { OpenOrder } from "@/features/orders/account";
import { isOfRow } from "@/features/orders/amend";
import { EMPTY, judge } from "@/features/orders/draft";
import { Mirrored } from "@/features/orders/Mirrored";
import { typedOrder } from "@/features/orders/place";
import { Leg, Summary } from "@/features/orders/Summary";
import { packTerms, type Terms, unpackTerms } from "@/features/orders/terms";
import { conditionsOf } from "@/features/orders/words";
import type { Exchange, Order } from "@/lib/api/types";
import { digestOf } from "@/lib/chain/keys";
import type { TypedData } from "@/lib/chain/typedData";
import { units } from "./markets";

const domain = {
  name: "Bizzan",
  version: "1",
  chainId: 31_337,
  verifyingContract: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
};
vi.mock("@/features/orders/cells", () => ({ useUnitsById: () => () => units }));
vi.mock("@/features/market/live", () => ({ SLOW_DRAW_MS: 0, useLive: () => "0:0" }));
vi.mock("@/features/worth/useWorth", () => ({ useDisplay: () => null }));
vi.mock("@/app/exchange", async (original) => ({
  ...(await original<object>()),
  theExchange: () => ({ domain }) as Exchange,
}));

const NOON = Date.UTC(2030, 5, 1, 12) / 1_000;
const STOP: Terms = {
  timeInForce: "gtc",
  postOnly: false,
  selfTrade: "cancel_taker",
  trigger: "stop_loss",
  displayed: 0n,
  trailBps: 0,
  group: 0,
};
const ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const full = {
  account: ACCOUNT,
  market: 1,
  side: "sell",
  price: "5900000",
  quantity: "10",
  nonce: "77",
  expiry: NOON,
  trigger_price: "6000000",
  max_fee_bps: 20,
  terms: `${packTerms(STOP)}`,
} as Order;
const hashOf = (order: Order) => digestOf(typedOrder(order));
const row: OpenOrder = {
  order_id: 9,
  order_hash: hashOf(full).toUpperCase().replace("0X", "0x"),
  market: 1,
  side: "sell",
  price: 5_900_000n,
  quantity: 10n,
  remaining: 10n,
  nonce: "77",
  expiry: NOON,
  triggerPrice: 6_000_000n,
  waiting: true,
};

test.each<Partial<Terms>>([
  {},
  { timeInForce: "fok", selfTrade: "decrement", trigger: "trailing", trailBps: 250, group: 4_000_000_000 },
  { timeInForce: "gtd", postOnly: true, displayed: (1n << 64n) - 1n },
])("terms come apart as they were packed: %o", (change) => {
  expect(unpackTerms(packTerms({ ...STOP, ...change }))).toEqual({ ...STOP, ...change });
});

test.each([1n << 8n, 1n << 10n, 7n << 5n, 1n << 128n])(
  "terms with an unknown part are not guessed: %s",
  (word) => {
    expect(unpackTerms(word)).toBeNull();
    const shown = conditionsOf({ triggerPrice: 0n, terms: word, expiry: NOON }, units);
    expect(shown[0]?.[1]).toContain(`${word}`);
  },
);

test("an amend takes the place of the order that the row shows, and of no other", () => {
  expect(isOfRow(row, full, hashOf(full))).toBe(true);
  expect(isOfRow({ ...row, triggerPrice: 0n }, full, hashOf(full))).toBe(true);
  // the stop would work at once, live longer, or pay more
  const lies: Partial<Order>[] = [
    { trigger_price: "0", terms: "0" },
    { expiry: NOON + 86_400 },
    { max_fee_bps: 100 },
    { terms: `${packTerms({ ...STOP, timeInForce: "ioc" })}` },
  ];
  for (const lie of lies) expect(isOfRow(row, { ...full, ...lie }, hashOf({ ...full, ...lie }))).toBe(false);
});

test.each<Partial<OpenOrder>>([
  { price: 1n },
  { quantity: 1n },
  { nonce: "78" },
  { expiry: NOON + 1 },
  { side: "buy" },
  { market: 2 },
  { triggerPrice: 1n },
])("what the row shows otherwise than it was signed is not amended: %o", (change) => {
  expect(isOfRow({ ...row, ...change }, full, hashOf(full))).toBe(false);
});

const meant = {
  side: "sell",
  price: 5_900_000n,
  quantity: 10n,
  triggerPrice: 6_000_000n,
  terms: packTerms(STOP),
  expiry: NOON,
  singleFill: false,
} as const;

test("who amends reads trigger, terms and expiry", () => {
  const shown = renderToStaticMarkup(<Leg meant={meant} preview={null} units={units} />);
  expect(shown).toContain("stop · waits for 60,000.0");
  expect(shown).toContain("good till cancelled");
  expect(shown).toContain("2030");
});

test("while the wallet asks, a stop does not read as a plain sale", () => {
  const group = packTerms({ ...STOP, group: 5 });
  const order = typedOrder({ ...full, terms: `${group}` });
  const shown = renderToStaticMarkup(<Mirrored data={order} />);
  expect(shown).toContain("stop · waits for 60,000.0");
  expect(shown).toContain("group 5");
  const trails = typedOrder({
    ...full,
    trigger_price: "0",
    terms: `${packTerms({ ...STOP, trigger: "trailing", trailBps: 150, displayed: 5n, postOnly: true })}`,
  });
  const trailing = renderToStaticMarkup(<Mirrored data={trails} />);
  for (const text of ["trailing stop", "1.5 %", "post only", "0.0005 BTC"])
    expect(trailing.toLowerCase()).toContain(text.toLowerCase());
});

test("a cancel of everything is told of as one", () => {
  const data = { domain, primaryType: "MassCancel", message: { account: ACCOUNT, market: 0n } };
  expect(renderToStaticMarkup(<Mirrored data={data as TypedData} />)).toContain("It can only stop trading");
});

test("good till cancelled says until when its key lets it work", () => {
  const now = (NOON - 3_600) * 1_000;
  const around = {
    bestBid: 6_000_000n,
    bestAsk: 6_000_010n,
    lastPrice: 6_000_000n,
    now,
    keyExpiry: NOON,
    maxQuantity: 0n,
    maxNotional: 0n,
  };
  const draft = { ...EMPTY, side: "sell", price: "60000", amount: "0.1" } as const;
  const found = judge(draft, units, around).meant;
  expect(found?.expiry).toBe(NOON);
  const shown = renderToStaticMarkup(
    <Summary meant={found ?? meant} preview={null} live={{} as never} units={units} />,
  );
  expect(shown).toMatch(/Until.*2030/);
});
