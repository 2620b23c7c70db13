/** Names for the shapes that the app uses; `schema.ts` is generated from the API's OpenAPI document. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Exchange = Schemas["ExchangeView"];
export type Asset = Schemas["AssetView"];
export type Token = Schemas["TokenView"];
export type MarketRules = Schemas["MarketInfo"];
export type Market = Schemas["MarketView"];
export type Status = Schemas["StatusView"];
export type Ticker = Schemas["TickerView"];
export type Trade = Schemas["TradeView"];
export type TradePage = Schemas["TradePage"];
export type Candle = Schemas["CandleView"];
export type CandlePage = Schemas["CandlePage"];
export type Account = Schemas["AccountView"];
export type Balance = Schemas["BalanceView"];
export type Order = Schemas["OrderView"];
export type OrderPage = Schemas["OrderPage"];
export type Fill = Schemas["FillView"];
export type FillPage = Schemas["FillPage"];
export type Preview = Schemas["Preview"];
export type OrderFields = Schemas["OrderFields"];
export type PlaceOrder = Schemas["PlaceOrder"];
export type CancelOrder = Schemas["CancelOrder"];
export type MassCancel = Schemas["MassCancel"];
export type Ack = Schemas["Ack"];
export type FaucetAnswer = Schemas["FaucetAnswer"];
export type NonceAnswer = Schemas["NonceAnswer"];
export type LoginAnswer = Schemas["LoginAnswer"];
