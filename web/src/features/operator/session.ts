/**
 * The console's session: opened by a signature of the wallet's, kept in this page's memory alone, and gone with the page, with
 * the wallet, with its role, or after half an hour.
 */
import { create } from "zustand";
import { exchangeNow } from "@/app/exchange";
import { signInText } from "@/features/wallet/siwe";
import { useWallet } from "@/features/wallet/store";
import { api, type Bearer } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";
import type { LoginAnswer, OperatorSession } from "@/lib/api/types";
import { c } from "./texts";

interface ConsoleState {
  readonly token: string | null;
  /** Whose signature opened it. */
  readonly address: string | null;
  readonly session: OperatorSession | null;
  /** Why the console was closed: in the exchange's words, or in the page's when the exchange only says that it is. */
  readonly closed: string | null;
  /** What the wallet is asked to sign now, and for how many minutes that opens the console. */
  readonly asked: { readonly text: string; readonly minutes: number } | null;
}

const NOTHING: ConsoleState = { token: null, address: null, session: null, closed: null, asked: null };

export const useConsole = create<ConsoleState>(() => NOTHING);

/** The console's own session, for each of its requests. */
export const bearer = (): Bearer => {
  const { token } = useConsole.getState();
  const ended = () => {
    const now = useConsole.getState();
    if (now.token === token) useConsole.setState({ ...NOTHING, closed: whyEnded(now.session) });
  };
  return { token, ended };
};

/** The exchange says of a session that it is no more, not why: its time was over, or somebody ended it before. */
const whyEnded = (session: OperatorSession | null): string =>
  session && exchangeNow() >= session.until ? c("gate.over") : c("gate.ended");

/** Ask the wallet to sign, and open the console. Throws what the exchange refuses. */
export async function openConsole(): Promise<void> {
  const { wallet } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  closeConsole();
  const { address } = wallet.signer;
  const nonce = await api.nonce();
  const text = signInText(address, nonce, location.protocol, exchangeNow(), "console");
  useConsole.setState({ asked: { text, minutes: nonce.console_minutes } });
  const signature = await wallet.signer.signText(text).finally(() => useConsole.setState({ asked: null }));
  if (!isConnected(address)) throw new Error(c("gate.changed"));
  const answer = await api.post<LoginAnswer>("/v1/operator/login", { message: text, signature });
  useConsole.setState({ token: answer.token, address });
  if (isConnected(address)) await renewSession();
  else closeConsole();
  if (!useConsole.getState().session) throw new Error(c("gate.changed"));
}

/** Ask again who is signed in, and as what; a role that is gone closes the console. */
export async function renewSession(): Promise<void> {
  const { token } = useConsole.getState();
  const isOurs = () => token !== null && useConsole.getState().token === token;
  try {
    const session = await api.get<OperatorSession>("/v1/operator/session", bearer());
    if (!isOurs()) return;
    if (isSame(session.address, useConsole.getState().address)) useConsole.setState({ session });
    else closeConsole();
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden" && isOurs())
      useConsole.setState({ ...NOTHING, closed: error.message });
    throw error;
  }
}

export function closeConsole(): void {
  if (useConsole.getState().token)
    void api.post("/v1/operator/logout", undefined, bearer()).catch(() => null);
  useConsole.setState(NOTHING);
}

const isSame = (a: string, b: string | null): boolean => a.toLowerCase() === b?.toLowerCase();

const isConnected = (address: string): boolean =>
  isSame(address, useWallet.getState().wallet?.signer.address ?? null);

// another wallet is somebody else, from the signature on
useWallet.subscribe(() => {
  const { token, address } = useConsole.getState();
  if (token && !isConnected(address ?? "")) closeConsole();
});
