import { renderToStaticMarkup } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { LimitsDialog, LimitsSaid } from "@/features/operator/AccountLimits";
import type { OperatorAccount } from "@/lib/api/types";

const known = {
  exchange: {
    markets: [{ quote_asset: 0 }, { quote_asset: 3 }],
    assets: [
      { asset_id: 0, symbol: "USDC", decimals: 6 },
      { asset_id: 1, symbol: "BTC", decimals: 8 },
      { asset_id: 3, symbol: "ETH", decimals: 8 },
    ],
  },
};
vi.mock("@/app/exchange", () => ({
  useExchange: (select: (state: typeof known) => unknown) => select(known),
}));

type Account = OperatorAccount["account"];
const brakes = { trading_stopped_by_owner: false, trading_stopped_by_operator: false, countdown_at: 0 };
const limits = { max_open_orders: 1_000, own_max_open_orders: 0, max_open_notional: { "0": "50000500000" } };
const account = (change: Partial<Account>): Account =>
  ({ account: "0x", brakes, limits, ...change }) as Account;

const said = (change: Partial<Account>) => renderToStaticMarkup(<LimitsSaid account={account(change)} />);
const dialog = (change: Partial<Account>) =>
  renderToStaticMarkup(
    <LimitsDialog account={account(change)} then={() => undefined} onClose={() => undefined} />,
  );

test("limits are said in coins, not in ledger units", () => {
  expect(said({})).toContain("1,000 orders, 50,000.5 USDC");
});

test("while the engine is away nobody knows them, and it says so", () => {
  expect(said({ brakes: null, limits: null })).toContain("not known at present");
});

test("an account that the engine has never seen has none of its own", () => {
  expect(said({ limits: null })).toBe("–");
});

test("the dialog begins with what holds, and shows what that is in coins", () => {
  const shown = dialog({});
  expect(shown).toContain('value="50000500000"');
  expect(shown).toContain("50,000.5 USDC");
  expect(shown).not.toContain("not known at present");
});

test("where nobody knows what holds, the dialog does not pretend that nothing does", () => {
  const shown = dialog({ brakes: null, limits: null });
  expect(shown).toContain("not known at present");
  expect(shown.match(/<input[^>]*disabled=""[^>]*value=""/g)).toHaveLength(2);
});
