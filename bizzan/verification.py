"""Whether the code on chain is this project's code, compiled from the sources at hand.

For every contract of a deployment, found from the deployment file alone: the code on chain is the compiled code, byte
by byte; each immutable in it is decoded and compared with what it must be; the transaction that created the contract
carries the compiled creation code, whose last bytes hold a hash of the source text, and the arguments that the
deployment file implies. Then the contract's answers are compared with the file. Each difference is told with its place.

    VerifyError   the chain cannot be read, so nothing was verified
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from requests.exceptions import RequestException
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception

from bizzan.contracts import Artifact, artifact, exported_abi
from exchange.domain.deployment import ETH, Deployment, Windows, address_bytes, checksum
from exchange.domain.deposit_address import implementation_address, init_code_hash
from exchange.domain.eip712 import Domain, keccak
from exchange.settings import LOCAL_CHAIN_ID

TEST_TOKEN = "test_tokens/TestToken"
PARTS = {"EXTENSION": "CustodyExtension", "GOVERNANCE": "CustodyGovernance"}
"""The parts of the custody contract behind the first, by the immutable of the part before that names them."""

CREATION_BLOCKS = 256
"""How far around the custody contract's block the other contracts' creation is looked for, in blocks."""

Compiler = Callable[[str], Artifact]


class VerifyError(Exception):
    """Nothing could be verified; the message says why."""


@dataclass(slots=True)
class Finding:
    """One address: what stands there, what was read out of it, and how it differs from what it must be."""

    name: str
    address: str
    facts: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def compare(self, what: str, found: object, expected: object) -> None:
        """Note a value, and that it differs where it does."""
        self.facts[what] = _text(found)
        if found != expected:
            self.differences.append(f"{what} is {_text(found)}, must be {_text(expected)}")


def verify(rpc_url: str, deployment: Deployment, compiled: Compiler = artifact) -> list[Finding]:
    """Verify every contract of a deployment; equal where no finding has a difference. Raises VerifyError."""
    web3 = Web3(HTTPProvider(rpc_url))
    try:
        return _Verification(web3, deployment, compiled).run()
    except (RequestException, Web3Exception) as error:
        raise VerifyError(f"the chain at {rpc_url} cannot be read: {error}") from None


class _Verification:
    def __init__(self, web3: Web3, deployment: Deployment, compiled: Compiler) -> None:
        self._web3 = web3
        self._deployment = deployment
        self._compiled = compiled

    def run(self) -> list[Finding]:
        chain = self._chain()
        if chain.differences:
            return [chain]  # on another chain everything else would differ too
        parts = [self._code("Custody", self._deployment.custody)]
        for key, name in PARTS.items():
            if address := parts[-1].facts.get(key):
                parts.append(self._code(name, address))
        factory = self._deployment.deposit_addresses
        implementation = self._code("DepositAddress", checksum(implementation_address(address_bytes(factory))))
        tokens = [self._token(token.token_id) for token in self._deployment.tokens if token.address != ETH]
        created = [*parts, self._code("DepositAddresses", factory), *tokens]
        if self._deployment.gives_receipts:
            created.append(self._code("OperatorBond", self._deployment.operator_bond))
        self._creations({address_bytes(finding.address): finding for finding in created if "code" in finding.facts})
        # other code may answer anything
        answers = [self._lists()] if all("code" in part.facts for part in parts) else []
        return [chain, *created, implementation, *answers]

    def _chain(self) -> Finding:
        """The chain that the file means, with the block in which the contract was made."""
        finding = Finding("chain", "")
        finding.compare("chain_id", self._web3.eth.chain_id, self._deployment.chain_id)
        if not finding.differences:
            block = self._web3.eth.get_block(self._deployment.block_number)
            finding.compare("block_hash", "0x" + bytes(block["hash"]).hex(), self._deployment.block_hash)
        return finding

    def _code(self, name: str, address: str) -> Finding:
        """The code that stays, and the immutables in it."""
        finding = Finding(name, address)
        compiled = self._compiled(name)
        code = bytes(self._web3.eth.get_code(Web3.to_checksum_address(address)))
        runtime = _bytes(compiled.runtime)
        size = len(runtime) + sum(length for _, length in compiled.immutables.values())
        if not _same(finding, "code", code[: len(runtime)], runtime):
            return finding
        finding.compare("size", len(code), size)
        expected = self._immutables(name, address)
        for key, (offset, length) in compiled.immutables.items():
            start = len(runtime) + offset
            value = _value(code[start : start + length], key)
            if key in PARTS:
                finding.facts[key] = str(value)  # what stands there is verified next
            elif name == "OperatorBond" and key in ("bonder", "delay"):
                finding.facts[key] = str(value)  # nobody relies on who that is, and the code bounds the delay
            else:
                finding.compare(key, value, expected.get(key, "known to this program"))
        return finding

    def _immutables(self, name: str, address: str) -> Mapping[str, object]:
        """What every immutable of a contract must be."""
        if name == TEST_TOKEN:
            token = next(token for token in self._deployment.tokens if token.address == address)
            return {"decimals": token.decimals, "faucet_limit": 10 ** (9 + token.decimals)}
        factory = self._deployment.deposit_addresses
        if name == "DepositAddress":
            return {"FACTORY": factory, "CUSTODY": self._deployment.custody}
        if name == "DepositAddresses":
            return {
                "custody": self._deployment.custody,
                "implementation": checksum(implementation_address(address_bytes(factory))),
                "INIT_CODE_HASH": _text(init_code_hash(address_bytes(factory))),
            }
        domain = Domain(self._deployment.domain_name, self._deployment.chain_id, address_bytes(address))
        if name == "OperatorBond":
            return {"signer": self._deployment.receipt_signer, **self._eip712(domain)}
        windows = {f"timing.{key.upper()}": value for key, value in asdict(self._deployment.windows).items()}
        return {**windows, "fees.FEE_CAP_BPS": self._deployment.fee_cap_bps, **self._eip712(domain)}

    def _eip712(self, domain: Domain) -> Mapping[str, object]:
        """The immutables by which a contract knows its own messages."""
        return {
            "eip712.NAME_HASH": _text(keccak(domain.name.encode())),
            "eip712.CHAIN_ID": domain.chain_id,
            "eip712.CONTRACT": checksum(domain.contract),
            "eip712.SEPARATOR": _text(domain.separator),
        }

    def _token(self, token_id: int) -> Finding:
        """A token: the project's own test token on the local chain, somebody else's elsewhere."""
        token = self._deployment.token(token_id)
        if self._deployment.chain_id == LOCAL_CHAIN_ID:
            finding = self._code(TEST_TOKEN, token.address)
        else:
            finding = Finding("foreign token", token.address)
            code = bytes(self._web3.eth.get_code(Web3.to_checksum_address(token.address)))
            finding.facts["code hash"] = _text(keccak(code))
            if not code:
                finding.differences.append("code is missing")
        if not finding.differences:
            contract = self._contract(token.address, "TestToken")
            finding.compare("decimals()", contract.functions.decimals().call(), token.decimals)
        return finding

    def _creations(self, wanted: dict[bytes, Finding]) -> None:
        """The transactions that made the contracts, looked for around the custody contract's block."""
        for creator_input, address in self._created():
            if finding := wanted.pop(address, None):
                self._creation(finding, creator_input)
            if not wanted:
                return
        for finding in wanted.values():
            finding.differences.append(
                f"creation is not within {CREATION_BLOCKS} blocks of block {self._deployment.block_number}"
            )

    def _created(self) -> Iterator[tuple[bytes, bytes]]:
        """Input of each transaction that made a contract, and the contract's address."""
        centre, head = self._deployment.block_number, self._web3.eth.block_number
        around = range(max(centre - CREATION_BLOCKS, 0), min(centre + CREATION_BLOCKS, head) + 1)
        for number in sorted(around, key=lambda number: abs(number - centre)):
            block = self._web3.eth.get_block(number, full_transactions=True)
            for transaction in block["transactions"]:
                parts: Any = transaction
                if parts.get("to") is None:
                    receipt = self._web3.eth.get_transaction_receipt(parts["hash"])
                    yield bytes(parts["input"]), address_bytes(str(receipt["contractAddress"]))

    def _creation(self, finding: Finding, creation: bytes) -> None:
        """The creation code, whose metadata names the source text, and its arguments."""
        compiled = self._compiled(finding.name)
        code = _bytes(compiled.bytecode)
        if not _same(finding, "creation code", creation[: len(code)], code):
            return
        inputs = next(entry["inputs"] for entry in compiled.abi if entry["type"] == "constructor")
        names, types = [item["name"] for item in inputs], [_type(item) for item in inputs]  # type: ignore[attr-defined]
        try:
            values = decode(types, creation[len(code) :])
        except DecodingError as error:
            finding.differences.append(f"creation arguments cannot be read: {error}")
            return
        finding.compare("creation arguments' size", len(creation) - len(code), len(encode(types, values)))
        for key, value in zip(names, values, strict=True):
            self._argument(finding, key, value)

    def _argument(self, finding: Finding, key: str, value: Any) -> None:
        """One creation argument: printed, and compared where the deployment file says what it was."""
        deployment = self._deployment
        if key == "roles":
            roles = dict(zip(_fields("roles"), map(checksum, map(address_bytes, value)), strict=True))
            finding.facts |= {f"roles.{role}": holder for role, holder in roles.items()}
            for role in ("operator", "co_signer", "fee_account"):
                finding.compare(f"roles.{role}", roles[role], getattr(deployment, role))
        elif key == "windows":
            finding.compare("windows", Windows(*value), deployment.windows)
        elif key == "fee_cap_bps":
            finding.compare("fee_cap_bps", value, deployment.fee_cap_bps)
        elif key.upper() in PARTS:
            finding.compare(key, checksum(address_bytes(value)), finding.facts[key.upper()])
        elif key == "custody_address":
            finding.compare("custody_address", checksum(address_bytes(value)), deployment.custody)
        elif key == "implementation_code":
            _same(finding, "implementation code", value, _bytes(self._compiled("DepositAddress").bytecode))
        elif key == "name" and finding.name != TEST_TOKEN:
            finding.compare("name", value, deployment.domain_name)
        else:
            finding.facts[key] = _text(value)

    def _lists(self) -> Finding:
        """The contract's own answers, at the head of the chain."""
        deployment, finding = self._deployment, Finding("answers of Custody", self._deployment.custody)
        ask = self._contract(deployment.custody, "Custody").functions
        finding.compare("windows()", Windows(*ask.windows().call()), deployment.windows)
        finding.compare("fee_cap_bps()", ask.fee_cap_bps().call(), deployment.fee_cap_bps)
        finding.compare("domain_separator()", _text(ask.domain_separator().call()), _text(deployment.domain.separator))
        finding.compare("token_count()", ask.token_count().call(), len(deployment.tokens))
        for token in deployment.tokens:
            listed = tuple(ask.tokens(token.token_id).call()[:3])
            finding.compare(f"tokens({token.token_id})", listed, (token.address, token.unit, token.decimals))
        finding.compare("market_count()", ask.market_count().call(), len(deployment.markets))
        for market in deployment.markets:
            listed = tuple(ask.markets(market.market_id).call()[:3])
            expected = (market.base_asset, market.quote_asset, market.lot_size)
            finding.compare(f"markets({market.market_id})", listed, expected)
        for role, holder in zip(_fields("roles"), ask.roles().call(), strict=True):
            finding.facts[f"{role} now"] = holder
        return finding

    def _contract(self, address: str, abi: str) -> Any:
        return self._web3.eth.contract(address=Web3.to_checksum_address(address), abi=exported_abi(abi))


def _same(finding: Finding, what: str, found: bytes, expected: bytes) -> bool:
    """Compare code byte by byte, and name the first byte that differs."""
    if found == expected:
        finding.facts[what] = f"equal, {len(expected):,} bytes"
        return True
    if not found:
        finding.differences.append(f"{what} is missing: nothing stands at this address")
        return False
    at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), len(found))
    there = f"0x{found[at]:02x}" if at < len(found) else "missing"
    finding.differences.append(
        f"{what} differs from byte {at:,} of {len(expected):,}: {there} on chain, 0x{expected[at]:02x} from the sources"
    )
    return False


def _value(word: bytes, key: str) -> object:
    """An immutable as what its name says it is."""
    if key.endswith(("CONTRACT", *PARTS, "FACTORY", "CUSTODY", "custody", "implementation", "signer", "bonder")):
        return checksum(word[12:]) if not any(word[:12]) else _text(word)
    return _text(word) if key.endswith(("HASH", "SEPARATOR")) else int.from_bytes(word)


def _fields(function: str) -> list[str]:
    """The names in the struct that a function of the custody contract returns."""
    entry: Any = next(entry for entry in exported_abi("Custody") if entry.get("name") == function)
    return [item["name"] for item in entry["outputs"][0]["components"]]


def _type(item: dict[str, Any]) -> str:
    """An ABI type as the codec writes it."""
    kind = str(item["type"])
    return kind.replace("tuple", f"({','.join(map(_type, item['components']))})") if "components" in item else kind


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Windows):
        return ", ".join(f"{key} {seconds}" for key, seconds in asdict(value).items())
    return str(value)
