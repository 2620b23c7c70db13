/** Cells that several tables of the account share. */
import { useExchange } from "@/app/exchange";
import { t } from "@/lib/i18n";
import type { MarketUnits } from "@/lib/money/market";

export function SideText({ side }: { readonly side: "buy" | "sell" | "buy_quote" }) {
  return (
    <span className={side === "sell" ? "text-sell" : "text-buy"}>
      {side === "sell" ? t("form.sell") : t("form.buy")}
    </span>
  );
}

/** The units of a market by its number. */
export function useUnitsById(): (market: number) => MarketUnits | undefined {
  const units = useExchange((known) => known.units);
  return (market) => [...units.values()].find((one) => one.id === market);
}
