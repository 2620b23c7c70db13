"""An operator that changes valid batches in every way it can moves nobody's money beyond what was signed.

Each run settles a valid batch of orders by accounts and delegates, alone and in bulk, and then tries changed copies of
it and of the next one. A copy is refused with a known reason, or its effect is within what users signed: the judge
knows the orders that were signed and reads the words of the batch by itself, by the layout that `ICustody` gives.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boa
import pytest
from boa import BoaError

from exchange.domain.bulk import Tree
from exchange.domain.contract_refusals import CONTRACT_REFUSALS
from exchange.domain.eip712 import Scheme
from exchange.domain.order import Order, Side
from exchange.domain.settlement import Execution, pack
from tests.utils.contracts import BTC_USDC, ETH_USDC, FEE_CAP_BPS, LOTS, PAIRS, World, revert_reason, single
from tests.utils.signing import Signer

TRADERS = [Signer(name) for name in ("first", "second", "third")]
DELEGATE = Signer("their delegate")
PRICE, CAP = 600, 30
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
Batch = tuple[list[list[Any]], list[bytes]]


@pytest.fixture(scope="module")
def exchange() -> World:
    """Three traders with money in everything, who share a delegate."""
    world = World()
    for trader in TRADERS:
        for token in range(4):
            world.deposit(trader, token, 10**12)
        world.custody.add_delegate(DELEGATE.address, 6, world.now + 86_400, sender=trader.address)
    return world


class Judge:
    """Who signed what, and what of it has been filled."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signed: set[tuple[int, ...]] = set()
        self.filled: defaultdict[tuple[int, int], int] = defaultdict(int)
        self.closed: set[tuple[int, int]] = set()

    def sign(self, order: Order) -> None:
        self.signed.add(read([*order.words(), order.terms << 128, 0])[0])

    def balances(self) -> dict[tuple[int, int], int]:
        everyone = [*TRADERS, self.world.fee_account]
        return {(int.from_bytes(s.raw), t): self.world.trading(s, t) for s in everyone for t in range(3)}

    def accept(self, words: Sequence[Sequence[Any]], before: dict[tuple[int, int], int]) -> None:
        """The batch went through: everything in it was signed, and nothing else moved."""
        moved: defaultdict[tuple[int, int], int] = defaultdict(int)
        for word in words:
            for key, amount in self.execution(word):
                moved[key] += amount
        for token in range(3):
            assert sum(amount for (_, its), amount in moved.items() if its == token) == 0
        assert {key: amount for key, amount in moved.items() if amount} == {
            key: amount - before[key] for key, amount in self.balances().items() if amount != before[key]
        }

    def execution(self, word: Sequence[Any]) -> Iterator[tuple[tuple[int, int], int]]:
        """What one execution may move, after it was found to be signed."""
        order, lots, quote, fee = read(word)
        account, market, side, price, quantity, nonce, expiry, _, cap, _ = order
        assert order in self.signed
        assert lots > 0
        assert quote >= price * lots if side == 1 else quote <= price * lots
        assert fee * 10_000 <= quote * min(cap, FEE_CAP_BPS)
        assert self.world.now <= expiry + self.world.windows.grace
        assert (account, nonce) not in self.closed
        self.filled[account, nonce] += lots
        assert self.filled[account, nonce] <= quantity
        if nonce >> 63 or self.filled[account, nonce] == quantity:
            self.closed.add((account, nonce))
        base_token, quote_token = PAIRS[market]
        sign = -1 if side == 1 else 1
        yield (account, base_token), sign * lots * LOTS[market]
        yield (account, quote_token), -sign * quote - fee
        yield (int.from_bytes(self.world.fee_account.raw), quote_token), fee


def read(word: Sequence[Any]) -> tuple[tuple[int, ...], int, int, int]:
    """An execution's order, lots, quote and fee, by the layout that `ICustody` gives."""
    head, body, fill, tail = word[:4]
    u64 = 2**64 - 1
    order = (
        head >> 96, head >> 64 & 2**32 - 1, head & 255, body >> 192, body >> 128 & u64, body >> 64 & u64,
        head >> 24 & 2**40 - 1, body & u64, head >> 8 & 65_535, fill >> 128,
    )  # fmt: skip
    return order, fill >> 64 & u64, fill & u64, tail & u64


# valid batches


def valid(judge: Judge, chance: random.Random, nonces: Iterator[int]) -> Batch:
    """One to three matches, by market; each side signs alone or in bulk, by itself or by the delegate."""
    executions = []
    for market in sorted(chance.choices((BTC_USDC, ETH_USDC), k=chance.randint(1, 3))):
        lots = chance.randint(1, 20)
        quote = lots * PRICE
        for trader, side in zip(chance.sample(TRADERS, 2), (Side.buy, Side.sell), strict=True):
            nonce = next(nonces)
            fields: dict[str, Any] = {
                "market": market,
                "price": PRICE,
                "max_fee_bps": CAP,
                "terms": chance.getrandbits(3),
            }
            fields["quantity"] = lots + chance.choice((0, 0, 1, 7))
            fields["nonce"] = single(nonce) if chance.random() < 0.3 else nonce
            order = judge.world.order(trader, side, **fields)
            judge.sign(order)
            fee = chance.randint(0, quote * CAP // 10_000)
            executions.append(signed(judge, chance, nonces, trader, order, (lots, quote, fee)))
    words, proofs = pack(executions)
    return [list(word) for word in words], proofs


def signed(
    judge: Judge, chance: random.Random, nonces: Iterator[int], trader: Signer, order: Order, sums: tuple[int, int, int]
) -> Execution:
    signer, scheme = chance.choice(((trader, Scheme.account), (DELEGATE, Scheme.delegate)))
    if chance.random() < 0.5:
        return Execution(order, int(scheme), signer.sign_order(judge.world.domain, order), *sums)
    others = [judge.world.order(trader, order.side, nonce=next(nonces)) for _ in range(chance.randint(1, 5))]
    for other in others:
        judge.sign(other)
    place = chance.randint(0, len(others))
    tree = Tree([*others[:place], order, *others[place:]])
    blobs = tree.signatures(signer.key.sign(tree.digest(judge.world.domain)))
    return Execution(order, int(scheme | Scheme.bulk), blobs[place], *sums)


# what an operator can try

FIELDS = [  # word, shift, width
    (0, 96, 160), (0, 64, 32), (0, 24, 40), (0, 8, 16), (0, 0, 8),
    (1, 192, 64), (1, 128, 64), (1, 64, 64), (1, 0, 64),
    (2, 128, 128), (2, 64, 64), (2, 0, 64),
    (3, 248, 8), (3, 104, 144), (3, 88, 16), (3, 80, 8), (3, 64, 16), (3, 0, 64),
]  # fmt: skip


def flip_a_bit(batch: Batch, chance: random.Random) -> None:
    word, place = chance.choice(batch[0]), chance.randrange(6)
    word[place] = changed(word[place], lambda value: value ^ 1 << chance.randrange(256))


def change_a_field(batch: Batch, chance: random.Random) -> None:
    word = chance.choice(batch[0])
    place, shift, width = chance.choice(FIELDS)
    mask = (1 << width) - 1
    value = word[place] >> shift & mask
    other = chance.choice((0, 1, mask, value + 1, value - 1, value * 2, value >> 1, chance.getrandbits(width))) & mask
    word[place] = word[place] & ~(mask << shift) | other << shift


def raise_both_sides(batch: Batch, chance: random.Random) -> None:
    """Lots or quote of a buyer and a seller together, so that the sums still meet."""
    shift, amount = chance.choice((0, 64)), chance.choice((1, -1, 5, 2**32))
    for word in chance.sample(batch[0], min(2, len(batch[0]))):
        word[2] = (word[2] + (amount << shift)) % 2**256


def exchange_words(batch: Batch, chance: random.Random) -> None:
    first, second = chance.choice(batch[0]), chance.choice(batch[0])
    for place in chance.choice(((4, 5), (3,), (2,), (0,), (1,), (4,), (5,))):
        first[place], second[place] = second[place], first[place]


def twin_signature(batch: Batch, chance: random.Random) -> None:
    """The other signature that the curve allows for the same message."""
    word = chance.choice(batch[0])
    vs = int.from_bytes(word[5])
    s = CURVE_ORDER - (vs & 2**255 - 1)
    word[5] = (s | (~vs >> 255 & 1) << 255 if s < 2**255 else s).to_bytes(32)


def repeat(batch: Batch, chance: random.Random) -> None:
    batch[0].insert(chance.randint(0, len(batch[0])), list(chance.choice(batch[0])))


def repeat_all(batch: Batch, chance: random.Random) -> None:
    batch[0].extend([list(word) for word in batch[0]])


def leave_out(batch: Batch, chance: random.Random) -> None:
    batch[0].pop(chance.randrange(len(batch[0])))


def shuffle(batch: Batch, chance: random.Random) -> None:
    chance.shuffle(batch[0])


def spoil_proofs(batch: Batch, chance: random.Random) -> None:
    proofs = batch[1]
    chance.choice(
        (proofs.reverse, proofs.clear, lambda: proofs.insert(0, bytes(32)), lambda: proofs.append(bytes(32)))
    )()
    if proofs:
        place = chance.randrange(len(proofs))
        proofs[place] = changed(proofs[place], lambda value: value ^ 1 << chance.randrange(256))


MUTATIONS = [
    flip_a_bit, change_a_field, raise_both_sides, exchange_words, twin_signature, repeat, repeat_all, leave_out,
    shuffle, spoil_proofs,
]  # fmt: skip


def settle(world: World, batch: Batch) -> None:
    world.settle_words([tuple(word) for word in batch[0]], batch[1])


def changed(value: Any, change: Callable[[int], int]) -> Any:
    return change(int.from_bytes(value)).to_bytes(32) if isinstance(value, bytes) else change(value)


def attempt(judge: Judge, batch: Batch) -> str | None:
    """Submit a batch; the reason if it is refused. What goes through is judged, and then undone."""
    before = judge.balances()
    with boa.env.anchor():
        state = judge.filled.copy(), set(judge.closed)
        try:
            settle(judge.world, batch)
        except BoaError as error:
            reason = revert_reason(bytes(error.call_trace.output))
            assert reason in CONTRACT_REFUSALS, reason
            return reason
        judge.accept(batch[0], before)
        judge.filled, judge.closed = state
    return None


def attack(world: World, seed: int, rounds: int, outcomes: defaultdict[str | None, int]) -> None:
    """Settle a valid batch, and attack with it and the next."""
    chance, nonces = random.Random(seed), iter(range(1, 10**9))
    with boa.env.anchor():
        judge = Judge(world)
        settled = valid(judge, chance, nonces)
        before = judge.balances()
        settle(world, settled)
        judge.accept(settled[0], before)
        for _ in range(rounds):
            words, proofs = valid(judge, chance, nonces)
            if chance.random() < 0.2:  # with what was settled before, if it can be settled further
                words = [*words, *(list(word) for word in settled[0])]
                proofs = [*proofs, *settled[1]]
            for mutation in chance.choices(MUTATIONS, k=chance.choice((1, 1, 1, 2))):
                if words:
                    mutation((words, proofs), chance)
            outcomes[attempt(judge, (words, proofs))] += 1


def test_a_malicious_operator_moves_nothing_beyond_what_was_signed(exchange: World) -> None:
    outcomes: defaultdict[str | None, int] = defaultdict(int)
    for seed in range(10):
        attack(exchange, seed, 40, outcomes)
    # the attacks are of many kinds, and some change what the operator is free to choose
    assert outcomes[None] > 10
    assert len(outcomes) > 12, outcomes


def test_every_bit_of_a_batch_matters_or_is_the_operators_choice(exchange: World) -> None:
    flip_bits(exchange, 1, 13)


@pytest.mark.deep
@pytest.mark.parametrize("shard", range(4))
def test_a_malicious_operator_moves_nothing_for_long(exchange: World, shard: int) -> None:
    outcomes: defaultdict[str | None, int] = defaultdict(int)
    first = 1_000 + 100 * shard
    for seed in range(first, first + 100):
        attack(exchange, seed, 100, outcomes)
    flip_bits(exchange, 2 + shard, 1)


def flip_bits(world: World, seed: int, step: int) -> None:
    """Flip single bits of a valid batch: of every word, and of every hash of a path."""
    chance, nonces = random.Random(seed), iter(range(1, 10**9))
    with boa.env.anchor():
        judge = Judge(world)
        words, proofs = valid(judge, chance, nonces)
        assert attempt(judge, (words, proofs)) is None
        places = [(word, place) for word in words for place in range(6)]
        for values, place in [*places, *((proofs, place) for place in range(len(proofs)))]:
            kept = values[place]
            for bit in range(chance.randrange(step), 256, step):
                values[place] = changed(kept, lambda value, bit=bit: value ^ 1 << bit)  # type: ignore[misc]
                attempt(judge, (words, proofs))
            values[place] = kept
