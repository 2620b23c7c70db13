"""The audit's fold of outflow (AUD-9) beside the contract: equal after every step, and not to be fooled."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from boa import BoaError

from bizzan.audit.chain_ledger import KEPT, ChainLedger, Kept, Place
from bizzan.audit.evidence import Evidence, Views
from bizzan.audit.outflow_check import outflow
from exchange.domain.deployment import address_bytes
from tests.utils.api_stack import DEPLOYMENT
from tests.utils.contracts import BTC, ETHER, USDC, World
from tests.utils.signing import Signer

TOKENS = (USDC, ETHER, BTC)
LIMIT = 1_000
FIRST, SECOND = Signer("approver_a"), Signer("approver_b")
TRADER = Signer("trader")


class Watched:
    """A world whose logs are kept as an audit reads them; each call is a block."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: list[Kept] = []
        self.times: dict[int, int] = {}
        self.nonce = 0

    def keep(self) -> None:
        """Keep what the last call logged."""
        number = len(self.times)
        self.times[number] = self.world.now
        for index, log in enumerate(self.world.custody.get_logs()):
            name = type(log).__name__
            if name in KEPT:
                values = {key: plain(value) for key, value in log._asdict().items() if key != "address"}
                self.kept.append(Kept(Place(number, index, f"0x{number:064x}", f"0x{number:064x}"), name, values))

    def owner(self, function: str, *arguments: Any) -> None:
        """A call of the owner."""
        self.world.scheduled(function, *arguments)
        self.keep()

    def deposit(self, token_id: int, amount: int, *, funding: bool = False) -> None:
        """Into trading or funding."""
        self.world.deposit(TRADER, token_id, amount, to_funding=funding)
        self.keep()

    def leave(self, token_id: int, amount: int, approvers: tuple[Signer, ...] = (), kind: str = "Withdrawal") -> bool:
        """Withdraw fast, after approvals; whether it left."""
        self.nonce += 1
        arguments = self.world.withdrawal(TRADER, token_id, amount, nonce=self.nonce, kind=kind)
        for approver in approvers:
            words = self.world.approval_words(arguments, approver, approver)
            self.world.custody.approve_withdrawal(*words, sender=self.world.keeper.address)
            self.keep()
        try:
            self.world.withdraw(arguments)
        except BoaError:
            return False
        self.keep()
        return True

    def problems(self, **views: Any) -> list[tuple[str, str]]:
        """What the check says, of the contract's answers or others."""
        custody = self.world.custody
        states = {token_id: custody.outflow_state(token_id) for token_id in TOKENS}
        there = Views(
            held={},
            liabilities={},
            trading={},
            funding={},
            outflow={token_id: (state.limit, state.level) for token_id, state in states.items()},
            approvers=tuple(address_bytes(str(each)) for each in custody.approvers()),
            threshold=custody.approval_threshold(),
            read_at=self.world.now,
        )
        chain = ChainLedger(DEPLOYMENT, kept=self.kept)
        rest: Any = None
        evidence = Evidence(DEPLOYMENT, rest, chain, replace(there, **views), (), None, None, self.times)
        return list(outflow(evidence))


def plain(value: Any) -> Any:
    """A value as the audit decodes it."""
    return address_bytes(str(value)) if isinstance(value, str) and str(value).startswith("0x") else value


@pytest.fixture
def watched(world: World) -> Watched:
    """Limits of 1,000 for two tokens, two approvers of whom both must approve, and a trader with money."""
    watched = Watched(world)
    for approver in (FIRST, SECOND):
        watched.owner("set_approver", approver.address, True)
    watched.owner("set_approval_threshold", 2)
    for token_id in (USDC, BTC):
        watched.owner("set_outflow_limit", token_id, LIMIT)
    for token_id in TOKENS:
        watched.deposit(token_id, 1_000_000)
    return watched


def test_level_is_the_contract_s_after_every_step(watched: Watched) -> None:
    dice = random.Random(7)
    left = 0
    for _ in range(60):
        token_id, amount = dice.choice(TOKENS), dice.choice((1, 7, 300, 999, 1_000))
        match dice.randrange(6):
            case 0:
                watched.deposit(token_id, amount, funding=dice.random() < 0.3)
            case 1:
                watched.world.pass_time(dice.choice((1, 864, 20_000)))
            case 2:
                limit = dice.choice((0, LIMIT, 3 * LIMIT, 17))
                watched.owner("set_outflow_limit", token_id, limit)
            case 3:
                left += watched.leave(token_id, amount + LIMIT, (FIRST, SECOND))
            case _:
                left += watched.leave(token_id, amount, kind=dice.choice(("Withdrawal", "FundingTransfer")))
        assert watched.problems() == []
    assert left > 10


def test_a_payment_above_the_limit_without_its_approvals_is_named(watched: Watched) -> None:
    assert watched.leave(USDC, LIMIT)
    assert not watched.leave(USDC, LIMIT)
    assert watched.leave(USDC, LIMIT, (FIRST, SECOND))
    assert watched.problems() == []
    paid = watched.kept[-1]
    approval = next(each for each in reversed(watched.kept) if each.name == "WithdrawalApproved")
    watched.kept.remove(approval)
    [(where, text)] = watched.problems()
    assert str(paid.place) in where
    assert text == "pays 1000 above the limit 1000 with 1 of 2 approvals"


def test_approvals_of_who_approves_no_more_do_not_count(watched: Watched) -> None:
    assert watched.leave(USDC, LIMIT)
    assert watched.leave(USDC, 5, (FIRST, SECOND))
    gone = Kept(Place(0, 9, "0x00", "0x00"), "ApproverChanged", {"approver": FIRST.raw, "approved": False})
    back = Kept(Place(0, 9, "0x00", "0x00"), "ApproverChanged", {"approver": FIRST.raw, "approved": True})
    watched.kept[-1:] = [gone, watched.kept[-1], back]
    [(_, text)] = watched.problems()
    assert "with 1 of 2 approvals" in text


@pytest.mark.parametrize(
    ("views", "where", "text"),
    [
        ({"outflow": {USDC: (5, 0)}}, "outflow of token USDC", "the contract's limit is 5, the logs say 1000"),
        ({"outflow": {USDC: (LIMIT, 3)}}, "outflow of token USDC", "the contract's level is 3, the logs add up to 0"),
        ({"approvers": (FIRST.raw,)}, "approvers", "its logs"),
        ({"threshold": 1}, "approvers", "the contract's threshold is 1, the logs say 2"),
        ({"threshold": 3}, "approvers", "the threshold is 3, and only 2 may approve"),
        ({"threshold": 0}, "approvers", "a limit is set, and nobody need approve"),
    ],
)
def test_another_answer_of_the_contract_is_named(watched: Watched, views: Any, where: str, text: str) -> None:
    found = watched.problems(**views)
    assert any(place == where and text in message for place, message in found)
