"""Markets and market data: rules, book, trades, candles, ticker."""
