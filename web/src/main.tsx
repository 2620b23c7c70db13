import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "@/app/App";
import { brand } from "@/app/brand";
import { useExchange, watchExchange } from "@/app/exchange";
import { stream } from "@/app/stream";
import "@/app/theme";
import { followTickers } from "@/features/market/tickers";
import { followAccount } from "@/features/orders/account";
import { startWallet } from "@/features/wallet/store";
import { startLanguage } from "@/lib/i18n";
import "@/styles/index.css";

document.title = brand.name;
followAccount();
stream.start();

let walletStarted = false;
const known = () => {
  const { exchange, units } = useExchange.getState();
  if (!exchange) return;
  followTickers(units.keys());
  if (!walletStarted) {
    walletStarted = true;
    void startWallet();
  }
};
useExchange.subscribe(known);
known();
void watchExchange();

await startLanguage();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
