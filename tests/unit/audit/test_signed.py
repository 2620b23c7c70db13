"""Signatures in the journal: what is signed passes, and each line that is not, or for another contract, is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bizzan.audit.chain_ledger import ChainLedger, Kept, Place
from bizzan.audit.signed import SignatureLedger, unknown_delegates
from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.order import Order
from exchange.engine import commands as c
from exchange.journal.reader import Record
from exchange.journal.receipts import leaf_of, subject_of
from tests.integration.sequencer.engine_process import DEPLOYMENT
from tests.utils.frames import frame_of
from tests.utils.signing import Signer

DOMAIN = DEPLOYMENT.domain
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


def ledger_of(*commands: c.Command) -> SignatureLedger:
    ledger = SignatureLedger(DOMAIN)
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


def test_a_scheme_that_does_not_fit_its_signer_is_found() -> None:
    assert "and its scheme says the account" in found(replace(placed(KEY), scheme=0))
    assert "and its scheme says a delegate" in found(replace(placed(), scheme=1))


def test_delegates_are_held_against_the_chain() -> None:
    ledger = ledger_of(placed(KEY), *brakes(KEY), frame_of(KEY, ORDERS, DOMAIN, OWNER.raw))
    assert ledger.problems == []
    chain = ChainLedger(DEPLOYMENT)
    assert list(unknown_delegates(ledger, chain)) == [
        (
            "journal sequence 1",
            f"{KEY.address} signs for {OWNER.address}, which never named it a delegate on chain",
        )
    ]
    chain.kept.append(Kept(NAMED, "DelegateAdded", {"account": OWNER.raw, "delegate": KEY.raw}))
    assert list(unknown_delegates(ledger, chain)) == []


def test_a_void_frame_is_none_and_its_receipt_names_the_orders_that_came() -> None:
    """Other orders under the same signature: the frame does nothing, and is not the one that was acknowledged."""
    honest = frame_of(OWNER, ORDERS, DOMAIN)
    swapped = replace(honest, orders=b"".join(order.pack() for order in reversed(ORDERS)))
    ledger = ledger_of(honest, swapped)
    assert (ledger.problems, ledger.void_frames) == ([], 1)
    assert honest.digest == swapped.digest
    assert subject_of(honest) != subject_of(swapped)
    assert leaf_of(Record(1, 1, honest, bytes(32))) != leaf_of(Record(1, 1, swapped, bytes(32)))
