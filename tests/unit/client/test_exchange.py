"""What the client knows of the exchange, by symbol."""

import pytest

from bizzan.client.exchange import Listed


def test_unknown_symbol_is_a_key_error_that_says_what_is_listed() -> None:
    markets = Listed("market", {"BTC-USDC": 1, "ETH-USDC": 2})
    assert (markets["ETH-USDC"], markets.get("DOGE-USDC"), "DOGE-USDC" in markets) == (2, None, False)
    with pytest.raises(KeyError, match="there is no market 'DOGE-USDC'; there are BTC-USDC, ETH-USDC"):
        markets["DOGE-USDC"]
