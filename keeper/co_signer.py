"""The co-signer: a second key that agrees to a fast withdrawal, after looking for itself.

It trusts neither the keeper that asks nor the engine that holds the money: it reads the user's signature, of which a
contract wallet is asked, the balance on the chain, and what the account still has to pay out of it. It has its own
settings and its own connections, so that it can run on a machine that the operator does not control.

    Declined   the withdrawal is not signed now; the message says why
    └─ Unsigned   its account does not stand by its signature, or never did
"""

from dataclasses import dataclass
from typing import Protocol

from exchange.chain.signing import Key
from exchange.database.payouts import HeldWithdrawal
from exchange.domain.deployment import Deployment, checksum
from keeper.withdrawal import BadWithdrawal, SignedWithdrawal


class Declined(Exception):
    """Not signed now."""


class Unsigned(Declined):
    """Neither the account's key made the signature, nor does the account's code take it now."""


class Balances(Protocol):
    """What the co-signer reads from the chain. Raises ChainError."""

    async def settled(self, account: bytes, token_id: int) -> tuple[int, int]:
        """Of one block: the last batch settled, and the account's trading balance in ledger units."""

    async def signed(self, account: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether the account's key signed, or the contract that it is says so now."""


class Outflows(Protocol):
    """What the co-signer reads from the database."""

    async def find_held(self, withdrawal_hash: bytes) -> HeldWithdrawal | None:
        """The withdrawal the engine holds money for."""

    async def outflow(self, payout: HeldWithdrawal, settled_batch: int) -> int:
        """Ledger units that leave the account's settled balance besides this withdrawal."""


@dataclass(frozen=True, slots=True)
class Approval:
    """The co-signer's agreement: its signature over (withdrawal digest, fee). `fee` in token units."""

    withdrawal: SignedWithdrawal
    user_signature: bytes
    fee: int
    signature: bytes


class CoSigner:
    """Signs `Approval` messages with the co-signer's key."""

    def __init__(self, key: Key, deployment: Deployment, balances: Balances, outflows: Outflows) -> None:
        self._key = key
        self._deployment = deployment
        self._domain = deployment.domain
        self._tokens = {bytes.fromhex(token.address[2:]): token for token in deployment.tokens}
        self._balances = balances
        self._outflows = outflows

    async def approve(self, withdrawal_hash: bytes, fee: int) -> Approval:
        """Agree to the withdrawal with this digest at this fee (token units). Raises Declined, ChainError."""
        payout = await self._outflows.find_held(withdrawal_hash)
        if payout is None:
            raise Declined("the engine holds nothing for it")
        withdrawal = self._check_message(payout, fee)
        token = self._tokens.get(withdrawal.token)
        if token is None or token.asset_id != payout.asset_id:
            raise Declined(f"token {checksum(withdrawal.token)} is not the one of asset {payout.asset_id}")
        amount = -(-withdrawal.amount // token.unit)
        if amount > payout.amount:
            raise Declined(f"it asks for {amount} ledger units and {payout.amount} are held")
        settled_batch, balance = await self._balances.settled(withdrawal.account, token.token_id)
        outflow = await self._outflows.outflow(payout, settled_batch)
        if amount + outflow > balance:
            raise Declined(f"it asks for {amount} of {balance} ledger units settled, of which {outflow} are spoken for")
        if not await self._balances.signed(withdrawal.account, withdrawal_hash, payout.signature):
            raise Unsigned("the account did not sign it: neither its key, nor does its code take the signature now")
        digest = self._domain.hash("Approval", {"withdrawal": withdrawal_hash, "fee": fee})
        return Approval(withdrawal, payout.signature, fee, self._key.sign(digest))

    def _check_message(self, payout: HeldWithdrawal, fee: int) -> SignedWithdrawal:
        """The message, if it is the one that was held."""
        try:
            withdrawal = SignedWithdrawal.parse(payout.message)
            digest = withdrawal.digest(self._domain)
        except (BadWithdrawal, ValueError) as error:
            raise Declined(str(error)) from None
        if digest != payout.withdrawal_hash or withdrawal.account != payout.account:
            raise Declined("the stored message is not the one that was held")
        if not 0 <= fee <= withdrawal.max_fee:
            raise Declined(f"the fee {fee} is above the signed cap {withdrawal.max_fee}")
        return withdrawal
