"""The exchange as a trader sees it: market data, one account, and the signed messages that move its money.

`BizzanClient` signs with one wallet, for its own account or, as a delegated key, for another one; then `owner` is who
signs in and withdraws for that account: its key, or a contract wallet. Prices and quantities of `place` are what
people read ("8000.5", "0.25"); `place_signed` takes an order as it was signed. Amounts in answers are integers in
ledger units.

Refusals are `ApiError`; a transport failure is `Unreachable`, after which the same signed message may be sent again:
an order that had arrived is then acknowledged as `duplicate`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, Unpack

from bizzan.client import schemas
from bizzan.client.bond import BondCheck
from bizzan.client.brakes import Brake, Brakes
from bizzan.client.errors import ApiError, WrongAck, WrongAddress
from bizzan.client.exchange import Exchange
from bizzan.client.freeze import SignedFreeze
from bizzan.client.login import login_message
from bizzan.client.nonces import Nonces
from bizzan.client.orders import DEFAULT_ORDER_SECONDS, Choices, OrderBuilder
from bizzan.client.reads import Reads
from bizzan.client.receipts import ReceiptCheck
from bizzan.client.transport import Transport
from bizzan.client.wallet import Owner, SignedOrder, Wallet
from exchange.domain.bulk import BulkSignature
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.deposit_address import deposit_address
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order, Side, TimeInForce
from exchange.domain.order_id import index_of, seq_of
from exchange.domain.receipt import Receipt, group_subject

LOGIN_ATTEMPTS = 3
WITHDRAWAL_SECONDS = 3_600
SENT_REMEMBERED = 10_000

Message = dict[str, int | bytes]
"""The fields of a message to be signed."""


class BizzanClient(Reads):
    """One wallet's access to the exchange. Use it as an async context manager: entering reads what the exchange is."""

    def __init__(
        self,
        base_url: str,
        wallet: Wallet,
        *,
        account: bytes | None = None,
        owner: Owner | None = None,
        nonces: Nonces | None = None,
        receipts: ReceiptCheck | None = None,
        bond: BondCheck | None = None,
    ) -> None:
        """With `receipts` every ack of what was signed must carry one that holds, or NoReceipt is raised.

        An order that this client sends again may be acknowledged without: `receipt` fetches it then. With `bond` no
        order is sent once nothing stands behind receipts any more (NoBond); cancels always are.
        """
        self.receipts = receipts or (bond.receipts if bond else None)
        self.bond = bond
        self._sent_again: dict[bytes, bool] = {}
        self.wallet = wallet
        self.owner: Owner = owner or wallet
        self.account = account or self.owner.address
        self.text_account = checksum(self.account)
        self.base_url = base_url
        super().__init__(Transport(base_url))
        self.nonces = nonces or Nonces(int(time.time() * 1_000))
        self._exchange: Exchange | None = None
        self.brakes = Brakes(wallet, self.account)
        self._last_group = 0

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Read what the exchange is: contract, assets, markets, fees."""
        self._exchange = Exchange.parse(await self.transport.get(schemas.ExchangeRow, "/v1/exchange"))
        try:
            await self.fees()
        except ApiError as error:
            if error.code != "unavailable":  # the fees of now are known; what is announced comes with the engine
                raise

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()
        if self.bond is not None:
            await self.bond.close()

    @property
    def exchange(self) -> Exchange:
        """The contract and what it lists; RuntimeError before `connect`."""
        if self._exchange is None:
            raise RuntimeError("connect() first, or use the client as an async context manager")
        return self._exchange

    def market(self, symbol: str) -> OrderBuilder:
        """The rules and units of a market such as `BTC-USDC`; KeyError when there is none."""
        return self.exchange.markets[symbol]

    # orders

    async def place(
        self,
        symbol: str,
        side: Side,
        price: str | Decimal,
        quantity: str | Decimal,
        *,
        seconds: int = DEFAULT_ORDER_SECONDS,
        client_order_id: str = "",
        **choices: Unpack[Choices],
    ) -> schemas.Ack:
        """Sign and place an order that lives `seconds`. The acknowledgement means that it is durable."""
        builder = self.market(symbol)
        signed = self.sign(
            builder,
            side,
            builder.price(price),
            builder.measure(side, quantity),
            seconds=seconds,
            **choices,
        )
        return await self.place_signed(signed, client_order_id)

    def sign(
        self,
        builder: OrderBuilder,
        side: Side,
        price: int,
        quantity: int,
        *,
        seconds: int = DEFAULT_ORDER_SECONDS,
        **choices: Unpack[Choices],
    ) -> SignedOrder:
        """A signed order in the market's units, with the next nonce."""
        order = self.build(builder, side, price, quantity, seconds=seconds, **choices)
        return self.wallet.sign_order(self.exchange.domain, order)

    def new_group(self) -> int:
        """A number for two orders that cancel one another (`group`); the account uses none again."""
        self._last_group = max(self._last_group + 1, int(time.time()))
        return self._last_group

    def sign_all(self, orders: Sequence[Order]) -> list[SignedOrder]:
        """Orders of this account under one signature, up to 1,024. Each is placed by itself."""
        return self.wallet.sign_orders(self.exchange.domain, orders)

    def build(
        self,
        builder: OrderBuilder,
        side: Side,
        price: int,
        quantity: int,
        *,
        seconds: int = DEFAULT_ORDER_SECONDS,
        **choices: Unpack[Choices],
    ) -> Order:
        """An order to be signed, in the market's units, with the next nonce.

        Orders that never rest take a single-fill nonce, whose state on chain is one bit.
        """
        immediate = choices.get("time_in_force") in (TimeInForce.ioc, TimeInForce.fok)
        return builder.order(
            self.account,
            side,
            price,
            quantity,
            self.nonces.next(single_fill=immediate),
            expiry=int(time.time()) + seconds,
            **choices,
        )

    async def fees(self) -> schemas.Fees:
        """Every market's fees, in force and announced; orders signed from now on have caps that cover them."""
        found = await self.transport.get(schemas.Fees, "/v1/fees")
        self._exchange = self.exchange.with_fees(found)
        return found

    async def preview(
        self,
        symbol: str,
        side: Side,
        price: str | Decimal,
        quantity: str | Decimal,
        **choices: Unpack[Choices],
    ) -> schemas.Preview:
        """What such an order would pay as maker and as taker, need and meet; nothing is signed."""
        builder = self.market(symbol)
        order = builder.order(
            self.account,
            side,
            builder.price(price),
            builder.measure(side, quantity),
            nonce=0,
            expiry=int(time.time()) + DEFAULT_ORDER_SECONDS,
            **choices,
        )
        return await self.transport.post(schemas.Preview, "/v1/orders/preview", _order_fields(order))

    async def place_signed(self, signed: SignedOrder, client_order_id: str = "") -> schemas.Ack:
        """Place an order that was signed before; doing so again is harmless."""
        await self.demand_bond()
        ack = await self.transport.post(schemas.Ack, "/v1/orders", self.order_body(signed, client_order_id))
        return self.checked_order(ack, signed)

    async def place_group(
        self, first: SignedOrder, second: SignedOrder, *, client_order_ids: tuple[str, str] = ("", "")
    ) -> schemas.GroupAck:
        """Place both legs of a group, of which only one ever fills, or neither. `sign_all` signs both at once.

        Doing so again with the same two is harmless. Raises WrongAck unless both are acknowledged, in one record.
        """
        await self.demand_bond()
        body = self.group_body(first, second, client_order_ids)
        return self.checked_group(await self.transport.post(schemas.GroupAck, "/v1/orders/group", body), first, second)

    def group_body(
        self, first: SignedOrder, second: SignedOrder, client_order_ids: tuple[str, str] = ("", "")
    ) -> dict[str, Any]:
        """Both legs of a group as REST and stream take them."""
        self._note_sent(group_subject(first.order_hash, second.order_hash))
        legs = zip(("first", "second"), (first, second), client_order_ids, strict=True)
        return {name: self._signed_body(leg, client_order_id) for name, leg, client_order_id in legs}

    def checked_group(self, acks: schemas.GroupAck, first: SignedOrder, second: SignedOrder) -> schemas.GroupAck:
        """The acks of both legs of a group that was sent. Raises WrongAck, NoReceipt."""
        subject = group_subject(first.order_hash, second.order_hash)
        for index, (ack, leg) in enumerate(((acks.first, first), (acks.second, second))):
            _demand_order(ack, leg)
            if ack.seq != acks.first.seq or index_of(ack.order_id or 0) != index:
                raise WrongAck(f"the ack of leg {index} of the group at {acks.first.seq} is for {ack.order_id}", acks)
            self.checked(ack, subject)
        return acks

    async def amend(
        self,
        symbol: str,
        side: Side,
        price: str | Decimal,
        quantity: str | Decimal,
        nonce: int,
        *,
        seconds: int = DEFAULT_ORDER_SECONDS,
        client_order_id: str = "",
        **choices: Unpack[Choices],
    ) -> schemas.Ack:
        """Replace the open order on `nonce`: `quantity` is that of the whole order, what was filled included.

        ApiError `order_closed` when it is too late.
        """
        builder = self.market(symbol)
        order = builder.order(
            self.account,
            side,
            builder.price(price),
            builder.measure(side, quantity),
            nonce,
            expiry=int(time.time()) + seconds,
            **choices,
        )
        return await self.amend_signed(self.wallet.sign_order(self.exchange.domain, order), client_order_id)

    async def amend_signed(self, signed: SignedOrder, client_order_id: str = "") -> schemas.Ack:
        """Have a signed order take the place of the open one on its nonce; doing so again is harmless."""
        await self.demand_bond()
        ack = await self.transport.post(schemas.Ack, "/v1/orders/amend", self.order_body(signed, client_order_id))
        return self.checked_order(ack, signed)

    async def demand_bond(self) -> None:
        """Raise NoBond when this client asks for a bond and none can be taken any more."""
        if self.bond is not None:
            await self.bond.demand()

    def checked_order(self, ack: schemas.Ack, signed: SignedOrder) -> schemas.Ack:
        """The ack of an order that was sent by itself. Raises WrongAck, NoReceipt."""
        _demand_order(ack, signed)
        return self.checked(ack, signed.order_hash)

    def checked(self, ack: schemas.Ack, subject: bytes) -> schemas.Ack:
        """The ack, if its receipt holds or none is asked for. Raises NoReceipt."""
        if self.receipts is not None:
            self.receipts.check(ack, subject, sent_again=self._sent_again.get(subject, False))
        return ack

    async def receipt(self, order: str | int, order_hash: bytes | None = None) -> Receipt:
        """An order's receipt, by id, hash or `client:` and your own id, checked if a key was told. Needs a login.

        Give its hash too where you name it otherwise: then it must be of that order, alone or with the other leg of its
        group. An order in a frame has the frame's, which is of no order: ask for that by id alone. Raises NoReceipt.
        """
        row = await self.transport.get(schemas.ReceiptAnswer, f"/v1/orders/{order}/receipt")
        if self.receipts is None:
            return row.receipt.receipt()
        if order_hash is None and isinstance(order, str) and order.startswith("0x") and len(order) == 66:
            order_hash = bytes.fromhex(order[2:])
        return self.receipts.check_answer(row, order, order_hash)

    async def receipt_at(self, seq: int, subject: bytes | None = None) -> Receipt:
        """The receipt of any message of the account, by its sequence, checked if a key was told. Needs a login.

        `exchange.domain.receipt` has the subject of each kind of message: give it too, and it must be of that one.
        Raises NoReceipt.
        """
        row = await self.transport.get(schemas.SignedReceipt, f"/v1/receipts/{seq}")
        if self.receipts is None:
            return row.receipt.receipt()
        return self.receipts.check_message(row, f"the message at {seq}", seq, subject)

    async def withdrawal_receipt(self, withdrawal_hash: str) -> Receipt:
        """The receipt of a withdrawal's hold, checked if a key was told. Needs a login. Raises NoReceipt."""
        row = await self.transport.get(schemas.SignedReceipt, f"/v1/withdrawals/{withdrawal_hash}/receipt")
        if self.receipts is None:
            return row.receipt.receipt()
        subject = bytes.fromhex(withdrawal_hash.removeprefix("0x"))
        return self.receipts.check_message(row, f"withdrawal {withdrawal_hash}", None, subject)

    def _note_sent(self, order_hash: bytes) -> None:
        """Remember the latest orders: only one that was sent before can be a duplicate."""
        if self.receipts is None:
            return
        self._sent_again[order_hash] = order_hash in self._sent_again
        while len(self._sent_again) > SENT_REMEMBERED:
            del self._sent_again[next(iter(self._sent_again))]

    def order_body(self, signed: SignedOrder, client_order_id: str = "") -> dict[str, Any]:
        """A signed order as REST and stream take it."""
        self._note_sent(signed.order_hash)
        return self._signed_body(signed, client_order_id)

    def _signed_body(self, signed: SignedOrder, client_order_id: str = "") -> dict[str, Any]:
        """A signed order, of which nobody notes that it is sent by itself: a leg is not."""
        scheme, signature = signed.scheme.name, signed.signature
        proof: dict[str, Any] = {}
        if signed.scheme & Scheme.bulk:
            bulk = BulkSignature.unpack(signed.signature)
            scheme, signature = "bulk", bulk.signature
            proof = {"index": bulk.proof.index, "path": ["0x" + each.hex() for each in bulk.proof.path]}
        signs = {"scheme": scheme, "signature": "0x" + signature.hex(), "client_order_id": client_order_id}
        return self._domain_fields() | _order_fields(signed.order) | signs | proof

    async def cancel(self, nonce: int) -> schemas.Ack:
        """Cancel the open order on `nonce`."""
        return await self._brake(self.brakes.cancel(self.exchange, nonce))

    async def mass_cancel(self, symbol: str | None = None, side: Side | None = None) -> schemas.Ack:
        """Cancel the open orders of one market or all, of one side or both, at once."""
        return await self._brake(self.brakes.mass_cancel(self.exchange, symbol, side))

    async def countdown(self, seconds: int) -> schemas.Ack:
        """All open orders end so many seconds from now, unless this is called again before; 0 ends the countdown."""
        return await self._brake(self.brakes.countdown(self.exchange, seconds))

    async def stop_trading(self, stopped: bool = True) -> schemas.Ack:
        """Have every order of this account refused and the open ones cancelled, or orders taken again."""
        return await self._brake(self.brakes.trading_stop(self.exchange, stopped))

    async def cancel_all(self, min_nonce: int | None = None) -> schemas.Ack:
        """Cancel every order below `min_nonce`, by default all that this client could have signed so far."""
        limit = self.limit_of_nonces(min_nonce)
        ack = await self._brake(self.brakes.cancel_all(self.exchange, limit))
        self.nonces.raise_to(limit)
        return ack

    def limit_of_nonces(self, min_nonce: int | None) -> int:
        """What `cancel_all` names: above all nonces that this client signed so far, and `min_nonce` at least."""
        return max(self.nonces.next(), min_nonce or 0)

    async def _brake(self, brake: Brake) -> schemas.Ack:
        ack = await self.transport.post(schemas.Ack, brake.path, brake.body)
        return self.checked(ack, brake.subject)

    # money

    async def deposit_address(self) -> schemas.DepositAddress:
        """Where plain transfers for the account go. The exchange looks there from now on and deposits what comes.

        Raises WrongAddress when that is not what follows from the account and the factory that `/v1/exchange` names;
        `CustodyClient.deposit_address` asks the chain about the factory.
        """
        said = await self.transport.post(schemas.DepositAddress, "/v1/account/deposit-address", {})
        factory = address_bytes(self.exchange.deposit_addresses)
        own = checksum(deposit_address(factory, self.account))
        named = (said.account, self.text_account), (said.factory, checksum(factory)), (said.deposit_address, own)
        for found, expected in named:
            if found.lower() != expected.lower():
                raise WrongAddress(
                    f"the exchange says {found} where {expected} follows from the account {self.text_account}: "
                    "send nothing to the address that it names"
                )
        return said

    async def withdraw(
        self, symbol: str, amount: int, *, recipient: str | None = None, max_fee: int = 0
    ) -> schemas.WithdrawalAck:
        """Sign a fast withdrawal of `amount` *ledger units* from trading to `recipient` (the account itself).

        The exchange holds the amount, co-signs and submits it for at most `max_fee` token units.
        """
        receiver = recipient or self.text_account
        fields: Message = {"recipient": address_bytes(receiver, "recipient")}
        return await self._move("Withdrawal", "/v1/withdrawals", symbol, amount, max_fee, fields)

    async def move_to_funding(self, symbol: str, amount: int, *, max_fee: int = 0) -> schemas.WithdrawalAck:
        """Sign a transfer of `amount` *ledger units* from the trading to the funding balance."""
        return await self._move("FundingTransfer", "/v1/funding-transfers", symbol, amount, max_fee, {})

    async def _move(
        self, name: str, path: str, symbol: str, amount: int, max_fee: int, extra: Message
    ) -> schemas.WithdrawalAck:
        token = self.exchange.tokens[symbol]
        values: Message = {
            "account": self.account,
            "token": address_bytes(token.address),
            "amount": amount * token.unit,
            "max_fee": max_fee,
            "nonce": self.nonces.next(),
            "deadline": int(time.time()) + WITHDRAWAL_SECONDS,
            **extra,
        }
        signature = self.owner.sign(self.exchange.domain, name, values)
        body = self._domain_fields() | {
            key: checksum(value) if isinstance(value, bytes) else str(value) for key, value in values.items()
        }
        body |= {"deadline": values["deadline"], "signature": "0x" + signature.hex()}
        ack = await self.transport.post(schemas.WithdrawalAck, path, body)
        return self._checked_hold(ack, self.exchange.domain.hash(name, values))

    def _checked_hold(self, ack: schemas.WithdrawalAck, withdrawal_hash: bytes) -> schemas.WithdrawalAck:
        """The ack of a withdrawal that was sent. Raises WrongAck, NoReceipt."""
        if ack.withdrawal_hash != "0x" + withdrawal_hash.hex():
            sent = f"the withdrawal 0x{withdrawal_hash.hex()} was sent, {ack.withdrawal_hash} is acknowledged"
            raise WrongAck(sent, ack)
        if self.receipts is not None:
            self.receipts.check(ack, withdrawal_hash)
        return ack

    # who reads what is private

    async def login(self) -> schemas.Session:
        """Sign in as the owner, by default the wallet; private reads and the account stream work from then on.

        A nonce is good for one attempt. When an answer was lost, the attempt that was sent again finds its nonce used:
        then it is done again with a new one.
        """
        for _ in range(LOGIN_ATTEMPTS - 1):
            try:
                return await self._login_once()
            except ApiError as error:
                if error.params.get("part") != "nonce":
                    raise
        return await self._login_once()

    async def _login_once(self) -> schemas.Session:
        asked = await self.transport.post(schemas.LoginNonce, "/v1/auth/nonce", {})
        message = login_message(self.base_url, self.owner.text_address, asked.chain_id, asked.nonce, datetime.now(UTC))
        signature = "0x" + self.owner.sign_text(message).hex()
        body = {"message": message, "signature": signature}
        session = await self.transport.post(schemas.Session, "/v1/auth/login", body)
        self.transport.token = session.token
        return session

    async def sign_freezes(self, count: int = 3) -> list[SignedFreeze]:
        """Sign the next freezes of the account, to keep in a drawer: any of them, posted by anybody, stops it once.

        ValueError for a delegated key, which cannot freeze.
        """
        if self.account != self.wallet.address:
            raise ValueError("a delegated key cannot freeze the account")
        first = (await self.guards(limit=1)).freeze_nonce
        return [SignedFreeze.sign(self.wallet, self.exchange.domain, first + place) for place in range(count)]

    def _domain_fields(self) -> dict[str, Any]:
        return {"chain_id": self.exchange.chain_id, "contract": self.exchange.custody}


def _order_fields(order: Order) -> dict[str, Any]:
    """An order's signed fields as the API takes them."""
    return {
        "account": checksum(order.account),
        "market": order.market,
        "side": Side(order.side).name,
        "price": str(order.price),
        "quantity": str(order.quantity),
        "nonce": str(order.nonce),
        "expiry": order.expiry,
        "trigger_price": str(order.trigger_price),
        "max_fee_bps": order.max_fee_bps,
        "terms": str(order.terms),
    }


def _demand_order(ack: schemas.Ack, signed: SignedOrder) -> None:
    """Raise WrongAck when an ack is of another order than the one that was sent."""
    if ack.order_hash != "0x" + signed.order_hash.hex():
        raise WrongAck(f"the order 0x{signed.order_hash.hex()} was sent, {ack.order_hash} is acknowledged", ack)
    if ack.order_id is None or seq_of(ack.order_id) != ack.seq:
        raise WrongAck(f"the order is acknowledged at sequence {ack.seq}, and as order {ack.order_id}", ack)
