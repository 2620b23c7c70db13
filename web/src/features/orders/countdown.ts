/**
 * Cancel on disconnect: a countdown at the exchange, which this page sets again and again while it is there. When it is
 * heard no more, the exchange ends all open orders of the account, by its own clock.
 *
 * The page must sign each of them, so it takes a key that signs without asking: the page's own wallet, or a delegated key.
 * What was chosen stays when the page is loaded anew, and is that of all its windows.
 */
import { create } from "zustand";
import { exchangeNow } from "@/app/exchange";
import { stream, useLink } from "@/app/stream";
import { orderSigner, useWallet } from "@/features/wallet/store";
import { api } from "@/lib/api/client";
import { ApiError, sentenceOf, Unreachable } from "@/lib/api/errors";
import type { Ack } from "@/lib/api/types";
import { t } from "@/lib/i18n";
import { keep, PREFIX, recall } from "@/lib/storage";
import { useAccount } from "./account";
import { type Mirror, noMirror, signedCountdown } from "./place";

/** How long the exchange waits, in seconds. */
export const CHOICES = [15, 30, 60, 300] as const;

interface Countdown {
  readonly on: boolean;
  readonly seconds: number;
  /** When the exchange ends the orders, in its milliseconds, if it does not hear this page before; 0 while it was not told. */
  readonly endsAt: number;
  /** Why it could not be set again the last time. */
  readonly failed: string | null;
  /** When it has ended the orders; until the user has seen that. */
  readonly firedAt: number | null;
}

/** What the browser keeps. */
interface Kept {
  readonly account: string;
  readonly seconds: number;
  readonly endsAt: number;
}

const NAME = "countdown";
const OFF: Countdown = { on: false, seconds: 30, endsAt: 0, failed: null, firedAt: null };
/** A countdown is set again after a third of its time. */
const SHARE = 3;
const RETRY_MS = 2_000;

export const useCountdown = create<Countdown>(() => OFF);

let timer: ReturnType<typeof setTimeout> | undefined;
let turn = 0;

const isConnected = () => useLink.getState().connection === "open";
const addressNow = () => useWallet.getState().wallet?.signer.address ?? null;

/** Whether whoever signs orders here signs without asking. */
export function useSignsAlone(): boolean {
  return useWallet(({ wallet, delegate }) => delegate !== null || (wallet !== null && !wallet.signer.asks));
}

/** Have the orders end after so many seconds of silence from now on. */
export async function arm(seconds: number): Promise<void> {
  if (!isConnected()) throw new Unreachable("the connection to the exchange is lost");
  useCountdown.setState({ on: true, seconds, failed: null });
  await beat();
}

/** Have them stay, whatever becomes of this page. */
export async function disarm(mirror: Mirror): Promise<void> {
  clearTimeout(timer);
  turn++;
  try {
    await send(0, mirror);
    useCountdown.setState({ on: false, endsAt: 0, failed: null });
    keep(NAME, null);
  } catch (error) {
    void beat(); // it is on as before
    throw error;
  }
}

/** The user has seen that the orders were ended. */
export const dismissFired = (): void => useCountdown.setState({ firedAt: null });

/** Set it again, and once more before it ends: for as long as the page is connected. */
async function beat(): Promise<void> {
  clearTimeout(timer);
  const mine = ++turn;
  const { on, seconds } = useCountdown.getState();
  const account = addressNow();
  if (!on || !account || !isConnected()) return;
  let pause = (seconds * 1_000) / SHARE;
  try {
    const ack = await send(seconds, noMirror);
    if (mine !== turn) return;
    const endsAt = (Math.ceil(ack.at / 1_000) + seconds) * 1_000;
    useCountdown.setState({ endsAt, failed: null });
    keep(NAME, { account, seconds, endsAt } satisfies Kept);
  } catch (error) {
    if (mine !== turn) return;
    // another window of this page was faster
    if (!(error instanceof ApiError && error.code === "nonce_too_low")) {
      useCountdown.setState({ failed: sentenceOf(error) });
      pause = RETRY_MS;
    }
  }
  // A browser slows down what timers of a page that is hidden start by timers. An answer starts this one, so it keeps time.
  timer = setTimeout(() => void beat(), pause);
}

async function send(seconds: number, mirror: Mirror): Promise<Ack> {
  const { signer } = await orderSigner();
  if (seconds && signer.asks) throw new Error(t("disconnect.needs_key"));
  return stream.command<Ack>("countdown", { countdown: await signedCountdown(seconds, mirror) });
}

/** Look whether it has ended meanwhile, and set it again. */
async function resume(): Promise<void> {
  clearTimeout(timer);
  const mine = ++turn;
  const { on, endsAt } = useCountdown.getState();
  if (!on || !isConnected()) return;
  if (endsAt && endsAt <= exchangeNow()) {
    if (!useWallet.getState().session) return; // whoever signs in is told
    const brakes = await api.account().then(
      (account) => account.brakes,
      () => null,
    );
    if (mine !== turn) return;
    if (!brakes) {
      timer = setTimeout(() => void resume(), RETRY_MS);
      return;
    }
    // else something else has set it since
    if (!brakes.countdown_at) useCountdown.setState({ firedAt: endsAt, endsAt: 0 });
  }
  await beat();
}

/** Take up what was chosen for the account that is connected. */
function takeUp(): void {
  const kept = recall<Kept>(NAME);
  if (!kept || kept.account !== addressNow()) {
    clearTimeout(timer);
    turn++;
    useCountdown.setState({ on: false, endsAt: 0, failed: null });
    return;
  }
  useCountdown.setState({ on: true, seconds: kept.seconds, endsAt: kept.endsAt });
  void resume();
}

/** Follow the account that is connected, the connection, and the other windows of this page. */
export function followCountdown(): void {
  let account: string | null = null;
  useWallet.subscribe(({ session }, before) => {
    if (addressNow() !== account) {
      account = addressNow();
      clearTimeout(timer);
      turn++;
      useCountdown.setState(OFF);
      takeUp();
    } else if (session && !before.session) void resume();
  });
  useLink.subscribe(({ connection }, before) => {
    if (connection === "open" && before.connection !== "open") void resume();
  });
  useAccount.subscribe(({ countdownFiredAt }, before) => {
    if (countdownFiredAt !== before.countdownFiredAt && useCountdown.getState().on)
      useCountdown.setState({ firedAt: countdownFiredAt });
  });
  window.addEventListener("storage", (event) => {
    if (event.key !== `${PREFIX}${NAME}` || !account) return;
    const kept = recall<Kept>(NAME);
    const { on, seconds } = useCountdown.getState();
    if ((kept !== null) !== on || (kept && kept.seconds !== seconds)) takeUp();
    else if (kept) useCountdown.setState({ endsAt: kept.endsAt });
  });
}
