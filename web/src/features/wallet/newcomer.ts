/** From nothing to a wallet with play money, on the local chain: one click. */
import { theExchange } from "@/app/exchange";
import { api } from "@/lib/api/client";
import { connectBurner, useWallet } from "./store";

/** Make this browser's burner wallet, sign in with it, and fill it from the faucet if it is empty. */
export async function startPlaying(
  step: (done: "wallet" | "funds") => void = () => undefined,
): Promise<void> {
  await connectBurner();
  step("wallet");
  const { wallet } = useWallet.getState();
  if (!wallet || !theExchange().faucet) return;
  await api.faucet(wallet.signer.address);
  step("funds");
}
