/** Fees as an operator writes them: `maker:taker` in basis points, from tier 0, and a floor in the quote asset. */
import { parseDecimal, pow10, scaleExactly } from "@/lib/money/decimal";

const PPM_DECIMALS = 2;
const MAX_TIERS = 16;

interface Written {
  readonly tiers: { readonly maker_fee_ppm: number; readonly taker_fee_ppm: number }[];
  /** Quote ledger units. */
  readonly floor: string;
}

/** What is written, exactly; null when it is none. */
export function feesOf(rates: string, floor: string, decimals: number): Written | null {
  const tiers = rates.split(",").map((pair) => pair.trim().split(":"));
  if (tiers.length > MAX_TIERS || tiers.some((pair) => pair.length !== 2)) return null;
  const found = tiers.map(([maker = "", taker = ""]) => ({ maker: ppmOf(maker), taker: ppmOf(taker) }));
  const amount = unitsOf(floor, decimals);
  if (amount === null || found.some(({ maker, taker }) => maker === null || taker === null)) return null;
  return {
    tiers: found.map(({ maker, taker }) => ({ maker_fee_ppm: maker ?? 0, taker_fee_ppm: taker ?? 0 })),
    floor: `${amount}`,
  };
}

/** Basis points with at most two decimals, in parts per million. */
function ppmOf(text: string): number | null {
  const found = /^\d{1,4}(\.\d{1,2})?$/.test(text) ? unitsOf(text, PPM_DECIMALS) : null;
  return found === null ? null : Number(found);
}

/** A decimal in units of its last place, if it has no more places than that. */
function unitsOf(text: string, decimals: number): bigint | null {
  const typed = parseDecimal(text);
  return typed && scaleExactly(typed, pow10(decimals), 1n);
}
