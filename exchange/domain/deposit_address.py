"""Deposit addresses: where plain transfers for an account go, and from how much on they are swept.

An address follows from the factory and the account alone (CREATE2), so it is known before anything stands there. The
bytes here are those of `contracts/DepositAddresses.vy`; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exchange.domain.deployment import Deployment, DeploymentError
from exchange.domain.eip712 import keccak
from exchange.domain.instrument import Asset, Market

_BEFORE_IMPLEMENTATION = bytes.fromhex("60333d8160093d39f3 36600557005b 363d3d373d3d3d363d73".replace(" ", ""))
_AFTER_IMPLEMENTATION = bytes.fromhex("5af43d82803e903d91603157fd5bf3")
_FIRST_CREATION = 1
"""A contract counts what it creates from one; the factory creates its implementation first."""


@dataclass(frozen=True, slots=True)
class CodeMark:
    """By which the code of a contract is known that stays on chain, before its immutables: bytes, and their hash."""

    size: int
    digest: bytes

    def marks(self, code: bytes, *immutables: bytes) -> bool:
        """Whether `code` is that code with these immutables, each a word, and nothing else."""
        words = b"".join(value.rjust(32, b"\0") for value in immutables)
        return code[self.size :] == words and keccak(code[: self.size]) == self.digest


FACTORY_CODE = CodeMark(1_423, bytes.fromhex("3471276449cefa245f6d278e1f7e02c6d7f92b443e18e3c3e96bf733a615f0e0"))
IMPLEMENTATION_CODE = CodeMark(2_508, bytes.fromhex("bece8ce66ea566f023affbc24d2944ead3d8cb748e57bc5f38b0db3b1f0042b4"))
"""`contracts/DepositAddresses.vy` and `contracts/DepositAddress.vy`, compiled; the web app knows them as well."""


def created_address(creator: bytes, nonce: int) -> bytes:
    """The address of the contract that `creator` creates with its `nonce` (CREATE)."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8)
    # RLP: a small number is its own byte, zero is the empty string
    coded = number if nonce and nonce < 0x80 else bytes([0x80 + len(number)]) + number
    payload = b"\x94" + creator + coded
    return keccak(bytes([0xC0 + len(payload)]) + payload)[12:]


def deposit_address(factory: bytes, account: bytes) -> bytes:
    """Where plain transfers for `account` go."""
    return keccak(b"\xff" + factory + account.rjust(32, b"\0") + init_code_hash(factory))[12:]


def implementation_address(factory: bytes) -> bytes:
    """What the proxy at each deposit address runs."""
    return created_address(factory, _FIRST_CREATION)


def init_code_hash(factory: bytes) -> bytes:
    """The hash of the code that makes a deposit address."""
    return keccak(_BEFORE_IMPLEMENTATION + implementation_address(factory) + _AFTER_IMPLEMENTATION)


def known_code(custody: bytes, factory: bytes, factory_code: bytes, implementation_code: bytes) -> bool:
    """Whether the addresses of `factory` are those that deposit into `custody`, by what stands on chain.

    The codes are those at the factory and at its `implementation_address`. Other code may pay what comes to anybody.
    """
    implementation = implementation_address(factory)
    return FACTORY_CODE.marks(
        factory_code, custody, implementation, init_code_hash(factory)
    ) and IMPLEMENTATION_CODE.marks(implementation_code, factory, custody)


def sweep_floors(deployment: Deployment, named: Mapping[str, int]) -> dict[int, int]:
    """From how many ledger units on the keeper sweeps a token, by token id.

    `named` says it by an asset's symbol, in any case. Without that it is the least that one order of some market can
    be about, or a whole unit of an asset that no market trades. DeploymentError for the name of no asset.
    """
    wanted = {symbol.upper(): floor for symbol, floor in named.items()}
    for symbol in sorted(wanted.keys() - {asset.symbol.upper() for asset in deployment.assets}):
        raise DeploymentError(f"the floor of {symbol} is the floor of nothing: there is no such asset")
    assets = ((token.token_id, deployment.asset(token.asset_id)) for token in deployment.tokens)
    return {
        token_id: wanted.get(asset.symbol.upper(), _least_order(deployment.markets, asset))
        for token_id, asset in assets
    }


def _least_order(markets: tuple[Market, ...], asset: Asset) -> int:
    """Ledger units of the smallest order about an asset, at the reference price."""
    as_quote = [market.min_notional for market in markets if market.quote_asset == asset.asset_id]
    as_base = [
        -(-market.min_notional // market.reference_price) * market.lot_size
        for market in markets
        if market.base_asset == asset.asset_id and market.reference_price
    ]
    return max(1, min(as_quote + as_base, default=10**asset.decimals))
