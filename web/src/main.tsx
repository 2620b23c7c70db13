import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "@/app/App";
import { watchAnnouncements } from "@/app/announcements";
import { brand } from "@/app/brand";
import { useExchange, watchExchange } from "@/app/exchange";
import { keepApp } from "@/app/offline";
import { stream } from "@/app/stream";
import "@/app/theme";
import { followTickers } from "@/features/market/tickers";
import { followAccount } from "@/features/orders/account";
import { followCountdown } from "@/features/orders/countdown";
import { startWallet } from "@/features/wallet/store";
import { startLanguage } from "@/lib/i18n";
import "@/styles/index.css";

document.title = brand.name;
followAccount();
followCountdown();
stream.start();

const WAY_OUT_MS = 3_000;

/** Load what it takes to leave while it can be had: it must be there when the exchange is not. */
function keepWayOut(): void {
  const parts = [
    import("@/pages/LeavePage"),
    import("@/lib/chain/deployment"),
    import("@/lib/chain/depositAddress"),
    import("@/lib/chain/ledger"),
    import("@/lib/chain/leaving"),
    import("@/lib/chain/keys"),
    import("viem/utils"),
  ];
  Promise.all(parts).then(keepApp, () => setTimeout(keepWayOut, WAY_OUT_MS));
}

let walletStarted = false;
const known = () => {
  const { exchange, units } = useExchange.getState();
  if (!exchange) return;
  followTickers(units.keys());
  if (!walletStarted) {
    walletStarted = true;
    // A wallet that cannot sign in now is connected all the same, and a banner says so.
    startWallet().catch(() => undefined);
    setTimeout(keepWayOut, WAY_OUT_MS);
  }
};
useExchange.subscribe(known);
known();
void watchExchange();
void watchAnnouncements();

await startLanguage();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
