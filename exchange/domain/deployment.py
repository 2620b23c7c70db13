"""A deployment: where the contracts stand on one chain, and what custody trades.

One JSON file per chain, `deployments/{chain_id}.json`, is written when the contract is deployed and read by every
process. `parse` and `to_json` are inverse; `parse` refuses anything that it does not know, naming the field.
Addresses are 20 bytes in messages and EIP-55 text here.

    DeploymentError   the file says something impossible; the message names the field
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from exchange.domain.eip712 import Domain, keccak
from exchange.domain.instrument import Asset, Market, MarketStatus, Token

ETH = "0x0000000000000000000000000000000000000000"
"""The token address that stands for the chain's own coin."""


class DeploymentError(ValueError):
    """A deployment file that cannot be used."""


def address_bytes(text: str, field: str = "address") -> bytes:
    """The 20 bytes of an address in hexadecimal, any case."""
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != 20 or not text.startswith("0x"):
        raise DeploymentError(f"{field} must be 0x and 40 hexadecimal digits, not {text!r}")
    return value


def checksum(address: bytes) -> str:
    """An address as EIP-55 text: a letter is upper case where the hash of the lower-case text says so."""
    digits = address.hex()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(d.upper() if m >= "8" else d for d, m in zip(digits, marks, strict=False))


@dataclass(frozen=True, slots=True)
class Windows:
    """The contract's fixed times, all in seconds.

    `delay` of everything that could void a match, `grace` of settlement after expiry, `claim_window` of a forced
    withdrawal, `timelock` of the owner, `pause_max` of one pause, `silence` after which anyone may freeze.
    """

    delay: int
    grace: int
    claim_window: int
    timelock: int
    pause_max: int
    silence: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """One custody contract: its EIP-712 domain, windows, roles at launch, and what it lists.

    `deposit_addresses` is the factory of its deposit addresses. `fee_cap_bps`: no execution's fee is ever more of its
    quote, whatever was signed. `operator_bond` stands behind what `receipt_signer` signs; both are zero where nobody
    gives receipts, and a file may leave them out.
    """

    chain_id: int
    custody: str
    deposit_addresses: str
    block_number: int
    block_hash: str
    commit: str
    domain_name: str
    windows: Windows
    fee_cap_bps: int
    fee_account: str
    operator: str
    co_signer: str
    assets: tuple[Asset, ...]
    tokens: tuple[Token, ...]
    markets: tuple[Market, ...]
    operator_bond: str = ETH
    receipt_signer: str = ETH

    @property
    def gives_receipts(self) -> bool:
        """Whether the engine signs what it acknowledges."""
        return self.operator_bond != ETH

    @property
    def bond_domain(self) -> Domain:
        """The EIP-712 domain of receipts."""
        return Domain(self.domain_name, self.chain_id, address_bytes(self.operator_bond, "operator_bond"))

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of every message for this contract."""
        return Domain(self.domain_name, self.chain_id, address_bytes(self.custody, "custody"))

    def token_of_asset(self, asset_id: int) -> Token:
        """The token that carries an asset on this chain; KeyError when there is none."""
        return {token.asset_id: token for token in self.tokens}[asset_id]

    def token(self, token_id: int) -> Token:
        """The token that the contract knows as `token_id`; KeyError when there is none."""
        return {token.token_id: token for token in self.tokens}[token_id]

    def asset(self, asset_id: int) -> Asset:
        """An asset by id; KeyError when there is none."""
        return {asset.asset_id: asset for asset in self.assets}[asset_id]

    def market(self, market_id: int) -> Market:
        """A market by id; KeyError when there is none."""
        return {market.market_id: market for market in self.markets}[market_id]

    def to_json(self) -> dict[str, object]:
        """The file's content; `parse` reads it back to an equal value."""
        document = asdict(self)
        document["tokens"] = [{k: v for k, v in token.items() if k != "chain_id"} for token in document["tokens"]]
        document["assets"] = list(document["assets"])
        document["markets"] = [market | {"status": str(market["status"])} for market in document["markets"]]
        return document

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Self:
        """The deployment in a parsed JSON file; DeploymentError names the first field that is wrong."""
        document = {"operator_bond": ETH, "receipt_signer": ETH} | dict(document)
        _check_names(document, frozenset(field.name for field in fields(cls)), "")
        chain_id = _integer(document, "chain_id", "")
        return cls(
            chain_id=chain_id,
            custody=_address(document, "custody", ""),
            deposit_addresses=_address(document, "deposit_addresses", ""),
            block_number=_integer(document, "block_number", ""),
            block_hash=_text(document, "block_hash", ""),
            commit=_text(document, "commit", ""),
            domain_name=_text(document, "domain_name", ""),
            windows=_windows(document["windows"]),
            fee_cap_bps=_integer(document, "fee_cap_bps", ""),
            fee_account=_address(document, "fee_account", ""),
            operator=_address(document, "operator", ""),
            co_signer=_address(document, "co_signer", ""),
            assets=tuple(_asset(row, where) for row, where in _rows(document, "assets")),
            tokens=tuple(_token(row, where, chain_id) for row, where in _rows(document, "tokens")),
            markets=tuple(_market(row, where) for row, where in _rows(document, "markets")),
            operator_bond=_address(document, "operator_bond", ""),
            receipt_signer=_address(document, "receipt_signer", ""),
        )


Row = Mapping[str, object]


def _windows(value: object) -> Windows:
    row = _row(value, "windows")
    names = [field.name for field in fields(Windows)]
    _check_names(row, frozenset(names), "windows.")
    return Windows(**{name: _integer(row, name, "windows.") for name in names})


def _asset(row: Row, where: str) -> Asset:
    _check_names(row, frozenset(field.name for field in fields(Asset)), where)
    return Asset(_integer(row, "asset_id", where), _text(row, "symbol", where), _integer(row, "decimals", where))


def _token(row: Row, where: str, chain_id: int) -> Token:
    _check_names(row, frozenset(field.name for field in fields(Token)) - {"chain_id"}, where)
    return Token(
        chain_id=chain_id,
        token_id=_integer(row, "token_id", where),
        address=_address(row, "address", where),
        asset_id=_integer(row, "asset_id", where),
        decimals=_integer(row, "decimals", where),
        unit=_integer(row, "unit", where),
    )


def _market(row: Row, where: str) -> Market:
    names = [field.name for field in fields(Market)]
    _check_names(row, frozenset(names), where)
    status = _text(row, "status", where)
    if status not in set(MarketStatus):
        raise DeploymentError(f"{where}status must be one of {', '.join(MarketStatus)}, not {status!r}")
    numbers = {name: _integer(row, name, where) for name in names if name not in ("symbol", "status")}
    return Market(symbol=_text(row, "symbol", where), status=MarketStatus(status), **numbers)


def _check_names(row: Row, names: frozenset[str], where: str) -> None:
    for name in sorted(names ^ set(row)):
        raise DeploymentError(f"{where}{name} is {'missing' if name in names else 'not a known field'}")


def _rows(document: Row, name: str) -> list[tuple[Row, str]]:
    value = document[name]
    if not isinstance(value, list | tuple):
        raise DeploymentError(f"{name} must be a list")
    return [(_row(item, f"{name}[{index}]"), f"{name}[{index}].") for index, item in enumerate(value)]


def _row(value: object, where: str) -> Row:
    if not isinstance(value, Mapping):
        raise DeploymentError(f"{where} must be an object")
    return value


def _integer(row: Row, name: str, where: str) -> int:
    value = row[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DeploymentError(f"{where}{name} must be an integer from 0, not {value!r}")
    return value


def _text(row: Row, name: str, where: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise DeploymentError(f"{where}{name} must be text, not {value!r}")
    return value


def _address(row: Row, name: str, where: str) -> str:
    return checksum(address_bytes(_text(row, name, where), where + name))
