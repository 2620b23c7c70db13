/** From nothing to a wallet with play money, on the local chain: one click. */
import { openDialog } from "@/app/dialogs";
import { connectBurner } from "./store";

/** Make this browser's burner wallet, sign in with it, and open the deposit's dialog, which has an empty one filled. */
export async function startPlaying(): Promise<void> {
  await connectBurner();
  openDialog("deposit");
}
