"""The WebSocket: market data, account events and pipelined order entry."""
