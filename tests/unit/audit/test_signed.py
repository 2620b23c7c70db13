"""Signatures in the journal: what is signed passes, and each line that is not, or for another contract, is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bizzan.audit.chain_ledger import ChainLedger, Executed, Kept, Movement, Place, SettledBatch
from bizzan.audit.journal_replay import Replay
from bizzan.audit.signed import ByCode, SignatureLedger, by_wallets, unknown_delegates, unpaid, unsigned_holds
from exchange.chain.rpc import Rpc, RpcRefused
from exchange.chain.types import Header
from exchange.domain.bulk import Tree
from exchange.domain.deployment import address_bytes, checksum
from exchange.domain.eip712 import Domain, Scheme, Value
from exchange.domain.order import Order, SelfTrade, Side, Terms, TimeInForce, TriggerType
from exchange.engine import commands as c
from exchange.engine import events as e
from exchange.journal.reader import Record
from exchange.journal.receipts import leaf_of, subject_of
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.utils.engine import BTC, DELEGATE, MAKER, OTHER, TAKER, USDC, EngineHarness
from tests.utils.frames import frame_of
from tests.utils.signing import Signer

DOMAIN = DEPLOYMENT.domain
PRICE = 5_000_000
ELSEWHERE = Domain("Bizzan", 1, b"\x0e" * 20)
OWNER, KEY = Signer("owner of signatures"), Signer("delegated key of signatures")
ORDERS = [Order(OWNER.raw, 1, 0, 5_000_000, 10 + n, 1 + n, 1_700_003_600, 0, 10, 0) for n in range(3)]
NAMED = Place(7, 0, "0x" + "ab" * 32, "0x" + "cd" * 32)


def placed(signer: Signer = OWNER, domain: Domain = DOMAIN, kind: type[c.PlaceOrder] = c.PlaceOrder) -> c.PlaceOrder:
    scheme = int(Scheme.account if signer is OWNER else Scheme.delegate)
    return kind(ORDERS[0], domain.order_hash(ORDERS[0]), scheme, signer.sign_order(domain, ORDERS[0]), signer.raw)


def in_bulk(index: int) -> c.PlaceOrder:
    tree = Tree(ORDERS)
    signature = tree.signatures(OWNER.key.sign(tree.digest(DOMAIN)))[index]
    return c.PlaceOrder(ORDERS[index], DOMAIN.order_hash(ORDERS[index]), int(Scheme.bulk), signature, OWNER.raw)


def brakes(signer: Signer, domain: Domain = DOMAIN) -> list[c.Command]:
    """One of each other command that users sign."""
    who = OWNER.raw
    made: list[c.Command] = [
        c.CancelOrder(who, 5, signer.sign(domain, "Cancel", account=who, nonce=5), signer.raw),
        c.CancelAll(who, 9, signer.sign(domain, "CancelAll", account=who, min_nonce=9), signer.raw),
        c.MassCancel(
            who, 1, 2, 77, signer.sign(domain, "MassCancel", account=who, market=1, side=2, nonce=77), signer.raw
        ),
        c.SetCountdown(who, 30, 78, signer.sign(domain, "Countdown", account=who, seconds=30, nonce=78), signer.raw),
    ]
    if signer is OWNER:
        stop = signer.sign(domain, "TradingStop", account=who, stopped=1, nonce=79)
        made.append(c.StopTrading(who, True, 79, stop))
    return made


def held(signer: Signer = OWNER, domain: Domain = DOMAIN, **changes: Any) -> c.HoldWithdrawal:
    """A hold for a withdrawal of 7 units of ETH, which has 10^10 token units in one of the ledger's."""
    token, who = DEPLOYMENT.token_of_asset(1), OWNER.raw
    values: dict[str, Value] = {
        "account": who,
        "token": address_bytes(token.address),
        "amount": 7 * token.unit,
        "recipient": b"\x09" * 20,
    }
    values |= {"max_fee": 5, "nonce": 3, "deadline": 1_700_009_999}
    text = {name: checksum(value) if isinstance(value, bytes) else str(value) for name, value in values.items()}
    signature = signer.sign(domain, "Withdrawal", **values)
    message = json.dumps({"type": "Withdrawal", **text})
    digest = DOMAIN.hash("Withdrawal", values)
    return replace(c.HoldWithdrawal(who, 1, 7, digest, 3, 1_700_009_999, message, signature), **changes)


def ledger_of(*commands: c.Command) -> SignatureLedger:
    ledger = SignatureLedger(DEPLOYMENT)
    for seq, command in enumerate(commands, start=1):
        ledger.add(Record(seq, 1, command, bytes(32)))
    return ledger


def found(*commands: c.Command) -> str:
    return "\n".join(f"{where}: {text}" for where, text in ledger_of(*commands).problems)


def test_what_users_signed_passes() -> None:
    signed: list[c.Command] = [
        placed(),
        placed(kind=c.AmendOrder),
        *map(in_bulk, range(3)),
        frame_of(OWNER, ORDERS, DOMAIN),
    ]
    ledger = ledger_of(*signed, *brakes(OWNER), c.Tick())
    assert (ledger.problems, ledger.checked, ledger.delegates) == ([], 11, {})


def test_each_leg_of_a_group_is_checked_by_itself() -> None:
    first, second = placed(), in_bulk(1)
    ledger = ledger_of(c.PlaceGroup(first, second))
    assert (ledger.problems, ledger.checked) == ([], 2)
    forged = bytearray(second.signature)
    forged[40] ^= 1
    assert "is said to be signed by" in found(c.PlaceGroup(first, replace(second, signature=bytes(forged))))
    other = replace(ORDERS[0], price=5_000_010)
    assert "its fields have the hash" in found(c.PlaceGroup(second, replace(first, order=other)))


@pytest.mark.parametrize(
    "command",
    [placed(), placed(kind=c.AmendOrder), in_bulk(1), *brakes(OWNER)],
    ids=lambda command: type(command).__name__,
)
def test_a_changed_signature_is_found(command: Any) -> None:
    signature = bytearray(command.signature)
    signature[40] ^= 1
    assert f"is said to be signed by {OWNER.address}" in found(replace(command, signature=bytes(signature)))


def test_changed_fields_are_found() -> None:
    order = replace(ORDERS[0], price=5_000_010)
    assert "its fields have the hash" in found(replace(placed(), order=order))
    assert "is said to be signed by" in found(replace(placed(), order=order, order_hash=DOMAIN.order_hash(order)))
    assert "is not signed: a bulk signature" in found(replace(placed(), scheme=int(Scheme.bulk)))


def test_what_was_signed_for_another_contract_is_found() -> None:
    for command in (placed(domain=ELSEWHERE), *brakes(OWNER, ELSEWHERE)):
        assert "is said to be signed by" in found(command)
    said = found(frame_of(OWNER, ORDERS, ELSEWHERE))
    assert f"the frame is signed under the domain 0x{ELSEWHERE.separator.hex()}, the deployment's is" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"account": KEY.raw}, f"holds with account {KEY.address}, its message says {OWNER.address}"),
        ({"asset": 0}, "holds with asset 0, its message says 1"),
        ({"amount": 8}, "holds with amount in token units 80000000000, its message says 70000000000"),
        ({"nonce": 4}, "holds with nonce 4, its message says 3"),
        ({"deadline": 1_800_000_000}, "holds with deadline 1800000000, its message says 1700009999"),
        ({"withdrawal_hash": b"\x07" * 32}, "its message has the hash 0x"),
        ({"message": "{}"}, "is held without the message that was signed"),
        ({"message": "no json"}, "is held without the message that was signed"),
        ({"message": "[" * 100_000}, "is held without the message that was signed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_hold_that_is_not_what_was_signed_is_found(changes: dict[str, Any], said: str) -> None:
    assert ledger_of(held()).problems == []
    assert said in found(held(**changes))


@pytest.mark.parametrize(
    "forged",
    [held(signature=b"\x05" * 65), held(signature=b""), held(KEY), held(domain=ELSEWHERE)],
    ids=["nobody", "empty", "a delegate", "elsewhere"],
)
def test_a_forged_hold_is_found_with_the_chain(forged: c.HoldWithdrawal) -> None:
    """Only the chain knows whether the account is a contract that says that it signed."""
    ledger, chain = ledger_of(forged), ChainLedger(DEPLOYMENT)
    assert ledger.problems == []
    chain.movements.append(Movement(NAMED, "deposited", OWNER.raw, 2, 7))
    said = f"the key of {OWNER.address} did not sign it, nor does a contract there say so"
    assert [where for where, text in unsigned_holds(unpaid(ledger, chain), ()) if said in text] == [
        "journal sequence 1"
    ]
    assert list(unsigned_holds(unpaid(ledger, chain), {forged.withdrawal_hash})) == [], "its wallet says so"
    chain.movements.append(Movement(NAMED, "withdrawn", OWNER.raw, 2, -7, forged.withdrawal_hash))
    assert unpaid(ledger, chain) == [], "the contract has checked what it paid"


def test_a_hold_of_an_account_that_a_reorganisation_took_from_the_chain_is_no_finding() -> None:
    """The contract wallet went with its deposit: nobody can be asked, and there is nothing to keep from it."""
    ledger, chain = ledger_of(held(signature=b"\x05" * 65)), ChainLedger(DEPLOYMENT)
    assert unpaid(ledger, chain) == []
    chain.batches.append(SettledBatch(NAMED, 1, b"", b"", 1, (Executed(OWNER.raw, b"", 0, 0, 1, 1, 0),)))
    assert len(unpaid(ledger, chain)) == 1, "what it sold is on chain, and with it the account"


def test_a_forged_hold_of_fees_is_found() -> None:
    ledger, chain = ledger_of(held(signature=b"\x05" * 65)), ChainLedger(DEPLOYMENT)
    chain._fee_account_changed(NAMED, {"fee_account": OWNER.raw})
    chain._fee_account_changed(NAMED, {"fee_account": KEY.raw})
    assert len(unpaid(ledger, chain)) == 1, "fees are owed to it before the first batch is settled"
    credited = ChainLedger(DEPLOYMENT)
    credited.trading[OWNER.raw, 2] = 5_000
    assert len(unpaid(ledger, credited)) == 1, "whatever it was credited with"


class Node:
    """A wallet that said yes in the blocks of `said`, of one second each, of which the node forgot those below."""

    def __init__(self, said: range, kept_from: int = 0) -> None:
        self.said, self.kept_from = said, kept_from

    async def block_number(self) -> int:
        return 100

    async def header(self, block: int) -> Header:
        return Header(hex(block), "", "", hex(block))

    async def eth_call(self, to: None, data: bytes, *, block: int | str, gas: int) -> bytes:
        number = block if isinstance(block, int) else 100
        if number < self.kept_from:
            raise RpcRefused(-32_000, "missing trie node")
        return int(number in self.said).to_bytes(32)


@pytest.mark.parametrize(
    ("node", "is_signed"),
    [
        (Node(range(100, 101)), True),
        (Node(range(42, 43)), True),
        (Node(range(42)), False),
        (Node(range(43, 100)), False),
        (Node(range(42, 43), kept_from=50), False),
    ],
    ids=["now", "then", "before", "later", "forgotten"],
)
async def test_a_wallet_is_asked_as_it_is_and_as_it_was_when_the_hold_was_made(node: Node, is_signed: bool) -> None:
    hold = ByCode(1, 42_999, OWNER.raw, b"\x01" * 32, b"\x05" * 65)
    assert await by_wallets(cast(Rpc, node), [hold]) == (
        frozenset({hold.withdrawal_hash}) if is_signed else frozenset()
    )


async def test_an_empty_signature_is_nobodys_whenever_the_wallet_is_asked() -> None:
    assert await by_wallets(cast(Rpc, Node(range(101))), [ByCode(1, 42_999, OWNER.raw, b"\x01" * 32, b"")]) == set()


def test_a_hold_that_its_account_signed_needs_no_chain() -> None:
    ledger = ledger_of(held())
    assert (ledger.checked, ledger.by_code) == (1, [])


def test_a_scheme_that_does_not_fit_its_signer_is_found() -> None:
    assert "and its scheme says the account" in found(replace(placed(KEY), scheme=0))
    assert "and its scheme says a delegate" in found(replace(placed(), scheme=1))


def test_delegates_are_held_against_the_chain() -> None:
    ledger = ledger_of(placed(KEY), *brakes(KEY), frame_of(KEY, ORDERS, DOMAIN, OWNER.raw))
    assert ledger.problems == []
    chain = ChainLedger(DEPLOYMENT)
    assert list(unknown_delegates(ledger, chain, set())) == [
        (
            "journal sequence 1",
            f"{KEY.address} signs for {OWNER.address}, which never named it a delegate on chain",
        )
    ]
    chain.kept.append(Kept(NAMED, "DelegateAdded", {"account": OWNER.raw, "delegate": KEY.raw}))
    assert list(unknown_delegates(ledger, chain, set())) == []


def signed_by_a_key_whose_naming_is_gone(then: Callable[[EngineHarness], object], allowed: bool = False) -> list[str]:
    """A key sells for an account and does something; then the engine hears that it is none. The findings."""
    x = EngineHarness()
    for account in (MAKER, TAKER):
        for asset in (USDC, BTC):
            x.credit(account, asset, 10**12)
    x.sell(MAKER, PRICE + 10, 100, nonce=1)
    x.sell(MAKER, PRICE, 100, nonce=2, signer=DELEGATE, scheme=1)
    then(x)
    x.apply(c.ObeyRevocation(next(x.inbox_ids), MAKER, DELEGATE))
    if allowed:
        x.apply(c.AllowDelegate(next(x.inbox_ids), MAKER, DELEGATE))
    replay = Replay(signatures=SignatureLedger(DEPLOYMENT))
    for seq, at_ms, command in x.kept:
        replay.apply(Record(seq, at_ms, command, bytes(32)))
    assert replay.signatures is not None
    chain = ChainLedger(DEPLOYMENT)
    return [text for _, text in unknown_delegates(replay.signatures, chain, replay.traded_by_delegates)]


def cancel(x: EngineHarness, nonce: int) -> object:
    return x.apply(c.CancelOrder(MAKER, nonce, b"", DELEGATE))


def mass_cancel(x: EngineHarness) -> object:
    return x.apply(c.MassCancel(MAKER, 0, 2, x.at_ms, b"", DELEGATE))


def trade(x: EngineHarness) -> object:
    return x.buy(TAKER, PRICE, 100)


BY_KEY: dict[str, Any] = {"signer": DELEGATE, "scheme": 1}
LIMIT, STOP = Terms(group=7), Terms(TimeInForce.ioc, trigger_type=TriggerType.stop_loss, group=7)


def leg(x: EngineHarness, terms: Terms, price: int, by_key: bool, trigger_price: int = 0, **more: Any) -> c.PlaceOrder:
    """A leg of group 7, which the account sells with its own key or has its delegate's sell."""
    options: dict[str, Any] = {"nonce": x.engine.seq * 10 + by_key, **(BY_KEY if by_key else {}), **more}
    return x.order(MAKER, Side.sell, price, 10, terms=terms.pack(), trigger_price=trigger_price, **options)


def pair(x: EngineHarness, limit_by_key: bool, **more: Any) -> tuple[c.PlaceOrder, c.PlaceOrder]:
    """Two legs that stay, one of them the delegate's; `more` is of the limit."""
    stop_price = PRICE - 1_000
    return (
        leg(x, LIMIT, PRICE + 50, limit_by_key, **more),
        leg(x, STOP, stop_price, not limit_by_key, trigger_price=stop_price),
    )


def ends_as_it_comes(x: EngineHarness, by_key: bool, turned: bool = False) -> object:
    """The limit of a group would take and may not; the other leg ends with it."""
    x.buy(TAKER, PRICE - 100, 1)
    limit = leg(x, replace(LIMIT, post_only=True), PRICE - 100, by_key)
    other = leg(x, STOP, PRICE - 1_000, not by_key, trigger_price=PRICE - 1_000)
    return x.apply(c.PlaceGroup(other, limit) if turned else c.PlaceGroup(limit, other))


def expires(x: EngineHarness, limit_by_key: bool) -> None:
    x.apply(c.PlaceGroup(*pair(x, limit_by_key, expiry=x.now + 60)))
    x.at_ms += 61_000
    x.apply(c.Tick())


def reduced(x: EngineHarness, by_key: bool) -> object:
    """A buyer's order meets the account's own sale at `PRICE + 10`, and both lose what they have in common."""
    signs = BY_KEY if by_key else {}
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    return x.buy(MAKER, PRICE + 10, 3, nonce=70, self_trade=SelfTrade.decrement, **signs)


def meets(x: EngineHarness, by_key: bool) -> object:
    """The account's own buyer's order ends because it meets a sale of the delegate, or its own."""
    if not by_key:
        x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    return x.buy(MAKER, PRICE + 10, 3, nonce=70)


def works_later(x: EngineHarness, by_key: bool) -> object:
    """A price comes; the order that waits for it works in a record of its own, and ends the account's sale."""
    signs = BY_KEY if by_key else {}
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    terms = Terms(TimeInForce.ioc, self_trade=SelfTrade.cancel_maker, trigger_type=TriggerType.take_profit).pack()
    x.buy(MAKER, PRICE + 20, 3, nonce=70, terms=terms, trigger_price=PRICE - 100, **signs)
    x.credit(OTHER, USDC, 10**12)
    x.buy(OTHER, PRICE - 100, 1)
    x.sell(TAKER, PRICE - 100, 1)
    (worked,) = (event for event in x.turns() if isinstance(event, e.OrderTriggered))
    assert len(x.engine.open_orders(MAKER)) == 0
    return worked


DONE_TO_OTHERS = {
    "ends with it as both come": lambda x, key: ends_as_it_comes(x, by_key=key),
    "ends before it, as both come": lambda x, key: ends_as_it_comes(x, by_key=key, turned=True),
    "ends when it expires": expires,
    "is reduced": reduced,
    "meets it and ends": meets,
    "meets it when its price has come": works_later,
}


@pytest.mark.parametrize("what", DONE_TO_OTHERS)
def test_an_order_that_ended_for_a_leg_of_a_delegate_that_nobody_named_is_found(what: str) -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: DONE_TO_OTHERS[what](x, True))) == 1


@pytest.mark.parametrize("by_key", [True, False])
def test_a_leg_that_ends_because_a_key_is_revoked_that_nobody_named_is_found(by_key: bool) -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: x.apply(c.PlaceGroup(*pair(x, by_key))))) == 1


@pytest.mark.parametrize("what", DONE_TO_OTHERS)
def test_a_leg_of_such_a_delegate_that_ended_for_the_accounts_own_is_no_finding(what: str) -> None:
    assert signed_by_a_key_whose_naming_is_gone(lambda x: DONE_TO_OTHERS[what](x, False)) == []


@pytest.mark.parametrize("by_key", [True, False])
def test_legs_that_end_with_everything_are_no_finding(by_key: bool) -> None:
    def placed_then(x: EngineHarness, command: Callable[[], c.Command], seconds: int = 0) -> None:
        x.apply(c.PlaceGroup(*pair(x, by_key)))
        x.at_ms += 1_000 * seconds
        x.apply(command())

    for then in (
        lambda x: placed_then(x, lambda: c.MassCancel(MAKER, 0, 2, x.at_ms, b"", MAKER)),
        lambda x: placed_then(x, lambda: c.CancelAll(MAKER, 1_000, b"", MAKER)),
        lambda x: placed_then(x, lambda: c.StopTrading(MAKER, True, x.at_ms, b"")),
        lambda x: placed_then(x, c.Tick, 3_601),
    ):
        assert signed_by_a_key_whose_naming_is_gone(then) == []


def nonces(x: EngineHarness) -> set[int]:
    """Of the account's open orders."""
    return {order.placed.order.nonce for order in x.engine.open_orders(MAKER)}


def one_by_one(x: EngineHarness, limit_by_key: bool, limit_nonce: int, stop_nonce: int) -> None:
    """Two legs that stay, one of them the delegate's, on these nonces."""
    x.apply(leg(x, LIMIT, PRICE + 50, limit_by_key, nonce=limit_nonce))
    x.apply(leg(x, STOP, PRICE - 1_000, not limit_by_key, trigger_price=PRICE - 1_000, nonce=stop_nonce))


CANCELS_ONE: dict[str, Callable[[EngineHarness], c.Command]] = {
    "cancel": lambda x: c.CancelOrder(MAKER, 500, b"", MAKER),
    "cancel_all": lambda x: c.CancelAll(MAKER, 1_000, b"", MAKER),
    "cancel_on_chain": lambda x: c.ObeyCancel(next(x.inbox_ids), MAKER, 500, 0),
    "cancel_all_on_chain": lambda x: c.ObeyCancel(next(x.inbox_ids), MAKER, 0, 1_000),
}


@pytest.mark.parametrize("cancels", CANCELS_ONE)
def test_an_order_that_ends_because_its_account_cancels_such_a_delegates_leg_is_found(cancels: str) -> None:
    def then(x: EngineHarness, limit_nonce: int, stop_nonce: int) -> None:
        one_by_one(x, False, limit_nonce, stop_nonce)
        x.apply(CANCELS_ONE[cancels](x))
        assert not nonces(x) & {500, 5_000}

    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: then(x, 5_000, 500))) == 1
    assert signed_by_a_key_whose_naming_is_gone(lambda x: then(x, 500, 5_000)) == [], "its own leg took the other"


@pytest.mark.parametrize("by_key", [True, False])
def test_legs_that_one_cancel_of_all_on_chain_ends_are_no_finding(by_key: bool) -> None:
    def then(x: EngineHarness) -> None:
        one_by_one(x, by_key, 500, 501)
        x.apply(c.ObeyCancel(next(x.inbox_ids), MAKER, 0, 1_000))

    assert signed_by_a_key_whose_naming_is_gone(then) == []


def would_take(x: EngineHarness, by_key: bool) -> object:
    """An order that may not take meets the delegate's sale at `PRICE`, or the account's own behind it."""
    if not by_key:
        x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    return x.buy(MAKER, PRICE + 10, 3, nonce=70, post_only=True)


def would_take_in_a_group(x: EngineHarness, by_key: bool) -> object:
    """Two legs of the account come together, and the one may not take: the delegate's bid, or the account's own."""
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.buy(MAKER, PRICE - 100, 1, nonce=60, **(BY_KEY if by_key else {}))
    limit = leg(x, replace(LIMIT, post_only=True), PRICE - 100, False, nonce=61)
    return x.apply(c.PlaceGroup(limit, leg(x, STOP, PRICE - 1_000, False, trigger_price=PRICE - 1_000, nonce=62)))


def would_take_anothers(x: EngineHarness) -> object:
    """Somebody else's sale stands before the delegate's."""
    x.sell(TAKER, PRICE - 10, 1)
    return x.buy(MAKER, PRICE, 3, nonce=70, post_only=True)


@pytest.mark.parametrize("does", [would_take, would_take_in_a_group])
def test_an_order_that_may_not_take_and_meets_such_a_delegates_is_found(does: Callable[..., object]) -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: does(x, True))) == 1
    assert signed_by_a_key_whose_naming_is_gone(lambda x: does(x, False)) == []


def test_an_order_that_may_not_take_and_would_take_anothers_is_not_such_a_delegates_doing() -> None:
    assert signed_by_a_key_whose_naming_is_gone(would_take_anothers) == []


def meets_its_own_before(x: EngineHarness, **how: Any) -> object:
    """The account's buyer's order meets the account's own sale; the delegate's stands behind, within the limit."""
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.sell(MAKER, PRICE + 20, 10, nonce=60, **BY_KEY)
    return x.buy(MAKER, PRICE + 30, 3, nonce=70, **how)


def meets_while_it_waits(x: EngineHarness) -> object:
    """The delegate's sale waits for its price, and is in no book."""
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.buy(TAKER, PRICE - 100, 1)
    waits = replace(STOP, group=0).pack()
    x.sell(MAKER, PRICE - 1_000, 10, nonce=60, terms=waits, trigger_price=PRICE - 1_000, **BY_KEY)
    return x.buy(MAKER, PRICE + 30, 3, nonce=70)


NOT_MET = {
    "stands_behind": meets_its_own_before,
    "is_lowered_no_more": lambda x: meets_its_own_before(x, self_trade=SelfTrade.decrement),
    "all_or_none": lambda x: meets_its_own_before(x, tif=TimeInForce.fok),
    "waits": meets_while_it_waits,
}


@pytest.mark.parametrize("what", NOT_MET)
def test_an_order_that_ends_by_its_accounts_own_is_no_doing_of_a_delegates_that_it_could_meet(what: str) -> None:
    assert signed_by_a_key_whose_naming_is_gone(NOT_MET[what]) == []


def meets_behind_others(x: EngineHarness, **how: Any) -> object:
    """What comes in meets the delegate's sale only after somebody else's."""
    x.sell(TAKER, PRICE - 10, 1)
    return x.buy(MAKER, PRICE, 3, nonce=70, **how)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"tif": TimeInForce.fok},
        {"self_trade": SelfTrade.decrement},
        {"self_trade": SelfTrade.cancel_both},
    ],
    ids=["first_in_the_book", "all_or_none", "lowered", "both_end"],
)
def test_the_order_that_was_met_is_found_in_the_book_of_then(how: dict[str, Any]) -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: meets_behind_others(x, **how))) == 1


def ends_alone(x: EngineHarness, a_third: bool) -> None:
    """A delegate's second leg ends as it comes, so that the first stays and another may come."""
    x.buy(TAKER, PRICE - 100, 1)
    x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.apply(leg(x, STOP, PRICE - 1_000, False, trigger_price=PRICE - 1_000, nonce=60))
    x.apply(leg(x, replace(LIMIT, post_only=True), PRICE - 100, True, nonce=61))
    if a_third:
        x.apply(leg(x, LIMIT, PRICE + 50, False, nonce=62))
        x.buy(TAKER, PRICE + 60, 102)
    assert (60 in nonces(x)) is not a_third


@pytest.mark.parametrize("a_third", [True, False])
def test_a_leg_that_ended_as_it_came_is_no_leg(a_third: bool) -> None:
    assert signed_by_a_key_whose_naming_is_gone(lambda x: ends_alone(x, a_third)) == []


@pytest.mark.parametrize("price", [PRICE - 100, PRICE + 50, PRICE + 60], ids=["fills", "keeps_its_place", "moves"])
def test_a_leg_of_such_a_delegate_that_its_account_replaced_is_no_leg(price: int) -> None:
    """The account's order in its place fills, as it comes or later, and ends the other leg."""

    def then(x: EngineHarness) -> None:
        x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
        one_by_one(x, True, 500, 501)
        x.buy(TAKER, PRICE - 100, 1)
        new = leg(x, LIMIT, price, False, nonce=500)
        x.apply(c.AmendOrder(replace(new.order, quantity=9), bytes(32), 0, new.signature, MAKER))
        x.buy(TAKER, PRICE + 60, 101)
        assert 501 not in nonces(x)

    assert signed_by_a_key_whose_naming_is_gone(then) == []


OWES: dict[str, Callable[[EngineHarness], c.Command]] = {
    "reserved": lambda x: c.ReserveForced(next(x.inbox_ids), MAKER, BTC, 10**13, "request"),
    "uncredited": lambda x: c.Uncredit(next(x.inbox_ids), MAKER, BTC, 10**12, "reorg"),
}


@pytest.mark.parametrize("owes", OWES)
@pytest.mark.parametrize("by_key", [True, False])
def test_legs_that_end_because_their_account_owes_are_no_finding(owes: str, by_key: bool) -> None:
    def then(x: EngineHarness) -> None:
        x.apply(c.PlaceGroup(*pair(x, by_key)))
        x.apply(OWES[owes](x))
        assert not nonces(x)

    assert signed_by_a_key_whose_naming_is_gone(then) == []


UNDONE: dict[str, Callable[[EngineHarness], object]] = {
    "cannot_settle": lambda x: x.reverse(1),
    "not_paid_for": lambda x: x.uncredit(TAKER, USDC, 10**12),
}


def proceeds_are_gone(x: EngineHarness, by_key: bool, undone: str) -> None:
    """The account's own bids hold what a sale brought in, and the sale is reversed."""
    if not by_key:
        x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.buy(TAKER, PRICE + 10, 100)
    price = PRICE - 200_000
    x.buy(MAKER, price, x.balance(MAKER, USDC).available * 10_000 // 10_006 // price, nonce=70)
    UNDONE[undone](x)
    assert 70 not in nonces(x)


@pytest.mark.parametrize("undone", UNDONE)
def test_orders_that_end_with_a_trade_of_such_a_delegate_are_found(undone: str) -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: proceeds_are_gone(x, True, undone))) == 1
    assert signed_by_a_key_whose_naming_is_gone(lambda x: proceeds_are_gone(x, False, undone)) == []


def legs_hold_what_is_gone(x: EngineHarness, by_key: bool) -> None:
    """The same, with a delegate's bid that takes the account's own leg with it."""
    if not by_key:
        x.apply(c.CancelOrder(MAKER, 2, b"", DELEGATE))
    x.buy(TAKER, PRICE + 10, 100)
    price = PRICE - 200_000
    lots = x.balance(MAKER, USDC).available * 10_000 // 10_006 // price
    x.buy(MAKER, price, lots, nonce=70, terms=LIMIT.pack(), **BY_KEY)
    x.buy(MAKER, PRICE + 1_000, 1, nonce=71, terms=STOP.pack(), trigger_price=PRICE + 1_000)
    x.reverse(1)
    assert not nonces(x) & {70, 71}


def test_legs_that_end_with_a_trade_are_the_doing_of_whose_trade_it_was() -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: legs_hold_what_is_gone(x, True))) == 1
    assert signed_by_a_key_whose_naming_is_gone(lambda x: legs_hold_what_is_gone(x, False)) == []


def test_orders_that_end_by_a_debit_that_reverses_such_a_delegates_trade_are_no_finding() -> None:
    def then(x: EngineHarness) -> None:
        x.buy(TAKER, PRICE, 100)
        x.uncredit(MAKER, BTC, 10**12)
        assert not nonces(x)

    assert signed_by_a_key_whose_naming_is_gone(then) == []


def test_an_order_that_ends_because_its_own_trade_is_reversed_is_no_finding() -> None:
    def then(x: EngineHarness) -> None:
        x.buy(TAKER, PRICE + 10, 150)
        x.reverse(1, 2)
        assert not nonces(x)

    assert signed_by_a_key_whose_naming_is_gone(then) == []


def test_what_expires_when_such_a_delegate_places_is_not_its_doing() -> None:
    def then(x: EngineHarness) -> None:
        x.sell(MAKER, PRICE + 20, 10, nonce=50, expiry=x.now + 60)
        x.at_ms += 61_000
        x.sell(MAKER, PRICE + 30, 10, nonce=51, signer=DELEGATE, scheme=1)

    assert signed_by_a_key_whose_naming_is_gone(then) == []


def test_a_delegate_whose_naming_a_reorganisation_took_is_no_finding() -> None:
    assert signed_by_a_key_whose_naming_is_gone(lambda x: None) == []
    assert signed_by_a_key_whose_naming_is_gone(lambda x: cancel(x, 2)) == []
    assert signed_by_a_key_whose_naming_is_gone(lambda x: (trade(x), x.reverse(1))) == []


@pytest.mark.parametrize(
    "then",
    [
        trade,
        lambda x: cancel(x, 1),
        mass_cancel,
        lambda x: x.apply(c.SetCountdown(MAKER, 5, x.at_ms, b"", DELEGATE)),
        lambda x: x.apply(c.CancelAll(MAKER, 3, b"", DELEGATE)),
    ],
    ids=["trade", "cancel", "mass_cancel", "countdown", "cancel_all"],
)
def test_what_a_delegate_that_nobody_named_did_to_others_is_found(then: Callable[[EngineHarness], object]) -> None:
    (said,) = signed_by_a_key_whose_naming_is_gone(then)
    assert said == f"{checksum(DELEGATE)} signs for {checksum(MAKER)}, which never named it a delegate on chain"


def test_a_delegate_that_nobody_named_and_that_trades_on_is_found() -> None:
    assert len(signed_by_a_key_whose_naming_is_gone(lambda x: None, allowed=True)) == 1


def test_a_void_frame_is_none_and_its_receipt_names_the_orders_that_came() -> None:
    """Other orders under the same signature: the frame does nothing, and is not the one that was acknowledged."""
    honest = frame_of(OWNER, ORDERS, DOMAIN)
    swapped = replace(honest, orders=b"".join(order.pack() for order in reversed(ORDERS)))
    ledger = ledger_of(honest, swapped)
    assert (ledger.problems, ledger.void_frames) == ([], 1)
    assert honest.digest == swapped.digest
    assert subject_of(honest) != subject_of(swapped)
    assert leaf_of(Record(1, 1, honest, bytes(32))) != leaf_of(Record(1, 1, swapped, bytes(32)))
