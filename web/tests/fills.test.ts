import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useExchange } from "@/app/exchange";
import { useAccount } from "@/features/orders/account";
import { useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import type { Fill, Status } from "@/lib/api/types";

/** What the exchange says of the account's one fill. */
let status: Fill["status"] = "final";
const fills = vi.spyOn(api, "fills");

const settled = (batches_settled: number) =>
  useExchange.setState({ status: { batches_settled } as unknown as Status });
const shown = () => useAccount.getState().fills.map((fill) => fill.status);

beforeEach(() => {
  vi.useFakeTimers();
  status = "final";
  fills.mockClear();
  fills.mockImplementation(
    async () => ({ fills: [{ trade_id: 1, status }], next_before: null, journal_seq: 9 }) as never,
  );
  useWallet.setState({ session: { token: "t", address: "0x" } as never });
  useAccount.setState({ fills: [] });
});
afterEach(() => vi.useRealTimers());

/** The page has read a fill that is final, and rests. */
async function rests(): Promise<void> {
  settled(10);
  settled(9);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(["final"]);
  fills.mockClear();
}

test("a final fill that a deep reorganisation takes back is shown as it is once fewer batches stand on chain", async () => {
  await rests();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(fills).not.toHaveBeenCalled();
  status = "submitted";
  settled(8);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(["submitted"]);
  status = "settled";
  await vi.advanceTimersByTimeAsync(1_000);
  expect(shown()).toEqual(["settled"]);
});

test("what rests is read again now and then, by one timer however often it was asked for", async () => {
  await rests();
  settled(8);
  settled(7);
  settled(6);
  await vi.advanceTimersByTimeAsync(0);
  fills.mockClear();
  status = "submitted";
  await vi.advanceTimersByTimeAsync(30_000);
  expect(fills).toHaveBeenCalledTimes(1);
  expect(shown()).toEqual(["submitted"]);
});

test("more batches on chain are no reason to read again", async () => {
  await rests();
  settled(12);
  await vi.advanceTimersByTimeAsync(0);
  expect(fills).not.toHaveBeenCalled();
});
