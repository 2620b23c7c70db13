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

interface ConsoleState {
  readonly token: string | null;
  readonly session: OperatorSession | null;
  /** Why the console was closed, in the exchange's words. */
  readonly closed: string | null;
}

const NOTHING: ConsoleState = { token: null, session: null, closed: null };

export const useConsole = create<ConsoleState>(() => NOTHING);

/** The console's own session, for each of its requests. */
export const bearer = (): Bearer => ({
  token: useConsole.getState().token,
  ended: () => useConsole.setState({ ...NOTHING, closed: useConsole.getState().closed }),
});

/** Ask the wallet to sign, and open the console. Throws what the exchange refuses. */
export async function openConsole(): Promise<void> {
  const { wallet } = useWallet.getState();
  if (!wallet) throw new Error("connect a wallet first");
  useConsole.setState(NOTHING);
  const address = wallet.signer.address;
  const text = signInText(address, await api.nonce(), location.protocol, exchangeNow(), "console");
  const signature = await wallet.signer.signText(text);
  const answer = await api.post<LoginAnswer>("/v1/operator/login", { message: text, signature });
  useConsole.setState({ token: answer.token });
  await renewSession();
}

/** Ask again who is signed in, and as what; a role that is gone closes the console. */
export async function renewSession(): Promise<void> {
  try {
    const session = await api.get<OperatorSession>("/v1/operator/session", bearer());
    if (useConsole.getState().token) useConsole.setState({ session });
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden")
      useConsole.setState({ ...NOTHING, closed: error.message });
    throw error;
  }
}

export function closeConsole(): void {
  if (useConsole.getState().token)
    void api.post("/v1/operator/logout", undefined, bearer()).catch(() => null);
  useConsole.setState(NOTHING);
}

// another wallet is somebody else
useWallet.subscribe(({ wallet }) => {
  const { session } = useConsole.getState();
  if (session && wallet?.signer.address !== session.address) closeConsole();
});
