"""The Python client: keys and signing, the REST API and its stream, the custody contract.

A trader needs four things from here: a `Wallet` signs, an `OrderBuilder` turns prices and quantities into the
market's units, `BizzanClient` talks to the exchange, `CustodyClient` to the contract. `examples/trade.py` uses
them all. Nothing in this package imports more of the project than `exchange.domain`.
"""
