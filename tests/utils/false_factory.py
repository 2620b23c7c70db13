"""A factory of deposit addresses that differs from the real one in nothing but what its addresses run."""

from __future__ import annotations

from eth_abi.abi import encode

from bizzan.contracts import artifact


def false_factory_code(custody: str) -> bytes:
    """The code that creates it: the real factory for a custody contract, around a changed implementation."""
    real = _code("DepositAddress")
    false = real.replace(b"not factory", b"non factory")
    assert false != real, "the implementation has another reason now: change another byte"
    return _code("DepositAddresses") + encode(["address", "bytes"], [custody, false])


def _code(name: str) -> bytes:
    return bytes.fromhex(artifact(name).bytecode.removeprefix("0x"))
