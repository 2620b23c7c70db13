"""A signed freeze: a message that stops an account, to keep in a drawer.

It moves nothing, and anybody who has it may post it, once: it names how often the account was frozen before. Who stole
the key voids one by freezing and thawing, so several are kept, for this nonce and the next ones.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bizzan.client.wallet import Wallet
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.eip712 import Domain

SIGNATURE_BYTES = 65
CALL = "freeze_account_signed(address,uint256,bytes)"


@dataclass(frozen=True, slots=True)
class SignedFreeze:
    """An account's own `AccountFreeze` number `nonce` for one exchange; addresses and signature as 0x hex."""

    chain_id: int
    contract: str
    account: str
    nonce: int
    signature: str

    @classmethod
    def sign(cls, wallet: Wallet, domain: Domain, nonce: int) -> SignedFreeze:
        """Sign the freeze of the wallet's own account."""
        signature = wallet.sign(domain, "AccountFreeze", {"account": wallet.address, "nonce": nonce})
        return cls(domain.chain_id, checksum(domain.contract), wallet.text_address, nonce, "0x" + signature.hex())

    @classmethod
    def parse(cls, text: str) -> SignedFreeze:
        """What `text` wrote. ValueError says what is wrong."""
        row = json.loads(text)
        if not isinstance(row, dict) or row.pop("call", None) != CALL:
            raise ValueError("this is no signed freeze")
        try:
            found = cls(**row)
        except TypeError as error:
            raise ValueError(f"this is no signed freeze: {error}") from None
        address_bytes(found.contract, "contract")
        address_bytes(found.account, "account")
        if len(found.signature_bytes) != SIGNATURE_BYTES:
            raise ValueError(f"the signature has {len(found.signature_bytes)} bytes, not {SIGNATURE_BYTES}")
        return found

    @property
    def signature_bytes(self) -> bytes:
        """The signature as the contract takes it."""
        return bytes.fromhex(self.signature.removeprefix("0x"))

    def text(self) -> str:
        """The message on one line, with the call that posts it."""
        return json.dumps({"call": CALL, **asdict(self)})
