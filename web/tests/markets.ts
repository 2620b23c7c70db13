/** Markets for tests: BTC-USDC as the local chain lists it, and one with an odd lot. */
import type { Asset, MarketRules } from "@/lib/api/types";
import { MarketUnits } from "@/lib/money/market";

export const USDC: Asset = { asset_id: 0, symbol: "USDC", decimals: 6 };
export const BTC: Asset = { asset_id: 2, symbol: "BTC", decimals: 8 };

export const RULES: MarketRules = {
  market_id: 1,
  symbol: "BTC-USDC",
  base_asset: 2,
  quote_asset: 0,
  lot_size: "10000",
  tick_size: "10",
  min_notional: "1000000",
  band_bps: 2_000,
  reference_price: "1000000",
  maker_fee_ppm: 200,
  taker_fee_ppm: 500,
  fee_floor: "0",
  status: "open",
};

export const units = new MarketUnits(RULES, BTC, USDC);
