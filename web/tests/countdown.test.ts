import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stream, useLink } from "@/app/stream";
import { useAccount } from "@/features/orders/account";
import { arm, disarm, dismissFired, followCountdown, useCountdown } from "@/features/orders/countdown";
import { useWallet, type Wallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { ApiError, Unreachable } from "@/lib/api/errors";
import type { Signer } from "@/lib/chain/signer";
import type { Address, Hex } from "@/lib/chain/typedData";

const NOW = Date.UTC(2030, 0, 1);
const A = `0x${"a1".repeat(20)}` as Address;
const B = `0x${"b2".repeat(20)}` as Address;

vi.mock("@/app/exchange", async (original) => ({
  ...(await original<object>()),
  exchangeNow: () => Date.now(),
  theExchange: () => ({ domain: { chainId: 1, verifyingContract: A } }),
}));

const kept = new Map<string, string>();
const said: number[] = [];
let answer: () => Promise<{ at: number }>;
let brakes: { countdown_at: number } | null;

const walletOf = (address: Address, asks: boolean): Wallet => ({
  kind: "burner",
  name: "",
  provider: null,
  signer: { address, asks, signTypedData: async () => "0x00" as Hex } as unknown as Signer,
});
const connect = (address: Address | null, asks = false) =>
  useWallet.setState({
    wallet: address && walletOf(address, asks),
    session: address && ({ token: "t", address, expires_at: Number.MAX_SAFE_INTEGER } as never),
    delegate: null,
  });
const link = (connection: "open" | "lost") => useLink.setState({ connection });
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(1_000 * seconds);
const state = () => useCountdown.getState();

vi.stubGlobal("window", { addEventListener: () => undefined });
vi.stubGlobal("localStorage", {
  getItem: (name: string) => kept.get(name) ?? null,
  setItem: (name: string, value: string) => kept.set(name, value),
  removeItem: (name: string) => kept.delete(name),
});
followCountdown();

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  kept.clear();
  said.length = 0;
  brakes = { countdown_at: 0 };
  answer = async () => ({ at: Date.now() });
  vi.spyOn(stream, "command").mockImplementation(async (_op, { countdown }) => {
    const { at } = await answer();
    said.push((countdown as { seconds: number }).seconds);
    return { at } as never;
  });
  vi.spyOn(api, "account").mockImplementation(async () => ({ brakes }) as never);
  link("open");
  connect(A);
});

afterEach(() => {
  connect(null);
  dismissFired();
  vi.useRealTimers();
});

test("it is set again before it ends, for as long as the page is connected", async () => {
  await arm(30);
  await pass(35);
  expect(said).toEqual([30, 30, 30, 30]);
  expect(state()).toMatchObject({ on: true, endsAt: NOW + 60_000, failed: null, firedAt: null });
  link("lost");
  await pass(25);
  expect(said).toHaveLength(4);
});

test("when the connection comes back in time, nothing has happened", async () => {
  await arm(30);
  link("lost");
  await pass(29);
  link("open");
  await pass(0);
  expect(said).toEqual([30, 30]);
  expect(api.account).not.toHaveBeenCalled();
  expect(state()).toMatchObject({ endsAt: NOW + 59_000, firedAt: null });
});

test("when it comes back too late, the page says so, and the countdown runs anew", async () => {
  await arm(30);
  link("lost");
  await pass(45);
  link("open");
  await pass(0);
  expect(state()).toMatchObject({ on: true, firedAt: NOW + 30_000, endsAt: NOW + 75_000 });
  expect(said).toEqual([30, 30]);
  dismissFired();
  expect(state().firedAt).toBeNull();
});

test("who is away cannot say whether it has ended: the page asks until somebody can", async () => {
  await arm(15);
  link("lost");
  await pass(20);
  brakes = null;
  link("open");
  await pass(3);
  expect(state().firedAt).toBeNull();
  expect(said).toEqual([15]);
  brakes = { countdown_at: 0 };
  await pass(2);
  expect(state().firedAt).toBe(NOW + 15_000);
  expect(said).toEqual([15, 15]);
});

test("what a program of the account's has put off has not ended", async () => {
  await arm(15);
  link("lost");
  await pass(20);
  brakes = { countdown_at: NOW / 1_000 + 300 };
  link("open");
  await pass(0);
  expect(state().firedAt).toBeNull();
});

test("the exchange's own word that it has ended counts as well", async () => {
  await arm(15);
  useAccount.setState({ countdownFiredAt: NOW + 5 });
  expect(state().firedAt).toBe(NOW + 5);
  await disarm(() => () => undefined);
  dismissFired();
  useAccount.setState({ countdownFiredAt: NOW + 6 });
  expect(state().firedAt).toBeNull();
});

test("what cannot be set again is told, and tried again soon", async () => {
  await arm(30);
  answer = async () => {
    throw new ApiError(0, "unavailable", "the engine is away");
  };
  await pass(13);
  expect(state()).toMatchObject({ failed: "the engine is away", endsAt: NOW + 30_000, on: true });
  answer = async () => ({ at: Date.now() });
  await pass(2);
  expect(state().failed).toBeNull();
});

test("it does not look as if it were on where it cannot be set", async () => {
  link("lost");
  await expect(arm(30)).rejects.toBeInstanceOf(Unreachable);
  expect(state().on).toBe(false);
});

test("another window that was faster is no failure", async () => {
  await arm(30);
  answer = async () => {
    throw new ApiError(0, "nonce_too_low", "the nonce must be above");
  };
  await pass(11);
  expect(state().failed).toBeNull();
});

test("it ends only when the exchange has said so", async () => {
  await arm(30);
  answer = async () => {
    throw new Unreachable("lost");
  };
  await expect(disarm(() => () => undefined)).rejects.toThrow("lost");
  expect(state().on).toBe(true);
  answer = async () => ({ at: Date.now() });
  await pass(3);
  await disarm(() => () => undefined);
  expect(said.at(-1)).toBe(0);
  expect(state()).toMatchObject({ on: false, endsAt: 0 });
  const before = said.length;
  await pass(60);
  expect(said).toHaveLength(before);
});

test("no wallet is asked every few seconds", async () => {
  connect(A, true);
  await arm(30);
  expect(said).toEqual([]);
  expect(state().failed).toContain("one-click trading");
});

test("a page that is loaded anew goes on, for the account that chose it alone", async () => {
  await arm(60);
  connect(null);
  expect(state().on).toBe(false);
  await pass(30);
  connect(B);
  await pass(0);
  expect(state().on).toBe(false);
  connect(A);
  await pass(0);
  expect(state()).toMatchObject({ on: true, seconds: 60, firedAt: null, endsAt: NOW + 90_000 });
  connect(null);
  await pass(120);
  connect(A);
  await pass(0);
  expect(state()).toMatchObject({ on: true, firedAt: NOW + 90_000 });
});
