/** The change of 24 hours, in words and colour. */
import type { Ticker } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import { fixed } from "@/lib/money/decimal";

export function changeText(ticker: Ticker | undefined): string {
  const bps = ticker?.change_bps_24h;
  if (bps === null || bps === undefined) return "–";
  return `${bps > 0 ? "+" : ""}${localNumber(fixed(BigInt(bps), 2))} %`;
}

export function changeTone(ticker: Ticker | undefined): string {
  const bps = ticker?.change_bps_24h ?? 0;
  return bps > 0 ? "text-buy" : bps < 0 ? "text-sell" : "";
}
