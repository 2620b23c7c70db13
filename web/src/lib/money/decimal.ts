/**
 * Decimal text to integers and back, exactly. Money is a bigint everywhere in the app; nothing here, and nothing that
 * computes with money, uses a float.
 */

/** An exact non-negative decimal: `digits / 10^places`. */
export interface Decimal {
  readonly digits: bigint;
  readonly places: number;
}

const PATTERN = /^(\d*)(?:\.(\d*))?$/;

/** `60,123` is sixty thousand to some and sixty and a little to others. */
const EITHER = /^0*[1-9]\d*,\d{3}$/;

/**
 * What a person typed, or null when it is no non-negative decimal number. A comma counts as the point, but where it could
 * as well group thousands it is refused.
 */
export function parseDecimal(text: string): Decimal | null {
  const typed = text.trim();
  const found = EITHER.test(typed) ? null : PATTERN.exec(typed.replace(",", "."));
  if (!found) return null;
  const whole = found[1] ?? "";
  const fraction = found[2] ?? "";
  if (whole === "" && fraction === "") return null;
  return { digits: BigInt(whole + fraction), places: fraction.length };
}

/** Ten to the power of `exponent`. */
export function pow10(exponent: number): bigint {
  return 10n ** BigInt(exponent);
}

/** `decimal * numerator / denominator` if that is an integer, else null. */
export function scaleExactly(decimal: Decimal, numerator: bigint, denominator: bigint): bigint | null {
  const top = decimal.digits * numerator;
  const bottom = pow10(decimal.places) * denominator;
  return top % bottom === 0n ? top / bottom : null;
}

/** The same, rounded down. */
export function scaleDown(decimal: Decimal, numerator: bigint, denominator: bigint): bigint {
  return (decimal.digits * numerator) / (pow10(decimal.places) * denominator);
}

/** `amount` units of which `10^decimals` make one, with exactly `decimals` digits behind the point. */
export function fixed(amount: bigint, decimals: number): string {
  const sign = amount < 0n ? "-" : "";
  const text = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, "0");
  const cut = text.length - decimals;
  return decimals === 0 ? sign + text : `${sign}${text.slice(0, cut)}.${text.slice(cut)}`;
}

/** The same without trailing zeros. */
export function trimmed(amount: bigint, decimals: number): string {
  const text = fixed(amount, decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Divides and rounds up; both are positive. */
export function divideUp(top: bigint, bottom: bigint): bigint {
  return (top + bottom - 1n) / bottom;
}

/** The smaller and the larger of two. */
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
