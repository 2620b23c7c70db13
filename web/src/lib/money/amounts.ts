/** Amounts of assets as people read them, in the language's own writing. */
import type { Asset, Token } from "@/lib/api/types";
import { localNumber } from "@/lib/i18n";
import { trimmed } from "./decimal";

/** Ledger units of an asset. */
export const ledgerText = (amount: bigint, asset: Pick<Asset, "decimals">): string =>
  localNumber(trimmed(amount, asset.decimals));

/** Token units: the token's smallest. */
export const tokenText = (units: bigint, token: Pick<Token, "decimals">): string =>
  localNumber(trimmed(units, token.decimals));

/** Parts per million as a percentage, exactly. */
export const ppmText = (ppm: number): string => `${localNumber(trimmed(BigInt(ppm), 4))} %`;
