"""settle: batches of executions."""

from typing import Any

import boa
import pytest

from exchange.domain.eip712 import Domain
from exchange.domain.order import Side
from exchange.domain.settlement import Execution, pack
from tests.utils.contracts import (
    BTC,
    BTC_USDC,
    CHAIN_ID,
    ETH_USDC,
    ETHER,
    FEE_CAP_BPS,
    GENESIS,
    USDC,
    World,
    reverts,
    single,
)
from tests.utils.signing import Signer

PRICE = 6_000_000
ALL_FILLED = 2**64 - 1  # nothing more can be filled
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def test_settle_moves_both_sides_and_the_fees(world: World, buyer: Signer, seller: Signer) -> None:
    world.settle(world.match(buyer, seller, 10, fee=30_000))
    assert world.trading(buyer, BTC) == 100_000
    assert world.trading(buyer, USDC) == 10_000_000_000 - 60_030_000
    assert world.trading(seller, BTC) == 100_000_000 - 100_000
    assert world.trading(seller, USDC) == 100_000_000 + 60_000_000 - 30_000
    assert world.trading(world.fee_account, USDC) == 60_000
    world.check_solvent([buyer, seller, world.fee_account])


def test_settle_logs_what_happened(world: World, buyer: Signer, seller: Signer) -> None:
    executions = world.match(buyer, seller, 10, fee=30_000)
    world.settle(executions)
    logs = [log for log in world.custody.get_logs() if type(log).__name__ == "OrderExecuted"]
    for log, execution in zip(logs, executions, strict=True):
        order = execution.order
        assert log.order_hash == world.domain.order_hash(order)
        assert log.amounts == order.side << 224 | BTC_USDC << 192 | 10 << 128 | 60_000_000 << 64 | 30_000
    assert [log.account for log in logs] == [buyer.address, seller.address]
    assert world.event("FeesCollected") == {
        "market_id": BTC_USDC,
        "fee_account": world.fee_account.address,
        "amount": 60_000,
    }
    assert world.event("BatchSettled") == {
        "seq": 1,
        "prev_head": GENESIS,
        "new_head": (1).to_bytes(32),
        "executions": 2,
    }


def test_settle_advances_the_head(world: World, buyer: Signer, seller: Signer) -> None:
    world.settle([])
    world.settle(world.match(buyer, seller))
    assert world.custody.batch_seq() == 2
    assert world.custody.journal_head() == (2).to_bytes(32)
    assert world.custody.last_seen() == world.now


def test_settle_reverts_for_anyone_but_the_operator(world: World) -> None:
    for signer in (world.owner, world.standby_operator, world.co_signer, world.guardian, world.keeper):
        with reverts("operator: not the operator"):
            world.custody.settle(1, GENESIS, GENESIS, [], [], sender=signer.address)


def test_settle_reverts_for_a_wrong_seq_or_head(world: World) -> None:
    for seq in (0, 2):
        with reverts("settle: wrong seq"):
            world.custody.settle(seq, GENESIS, GENESIS, [], [], sender=world.operator.address)
    with reverts("settle: wrong head"):
        world.custody.settle(1, b"\1" * 32, GENESIS, [], [], sender=world.operator.address)


def test_a_batch_cannot_settle_twice(world: World, buyer: Signer, seller: Signer) -> None:
    arguments = (1, GENESIS, b"\1" * 32, *pack(world.match(buyer, seller)))
    world.custody.settle(*arguments, sender=world.operator.address)
    with reverts("settle: wrong seq"):
        world.custody.settle(*arguments, sender=world.operator.address)


def test_settle_reverts_while_paused_or_frozen(world: World, buyer: Signer, seller: Signer) -> None:
    world.custody.pause(30, sender=world.guardian.address)
    with reverts("custody: paused"):
        world.settle(world.match(buyer, seller))
    world.pass_time(30)
    world.settle(world.match(buyer, seller))
    world.pass_time(world.windows.silence + 1)
    world.custody.freeze(sender=world.keeper.address)
    with reverts("custody: frozen"):
        world.settle([])


def test_settle_works_on_several_markets(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    world.settle(
        world.match(buyer, seller, 3, fee=10) + world.match(buyer, seller, 5, market=ETH_USDC, nonce=2, fee=20)
    )
    assert world.trading(buyer, BTC) == 30_000
    assert world.trading(buyer, ETHER) == 500_000
    assert world.trading(world.fee_account, USDC) == 60
    world.check_solvent([buyer, seller, world.fee_account])


def part(world: World, buyer: Signer, seller: Signer, lots: int, **changes: Any) -> list[Execution]:
    """Two orders of ten lots that meet in some of them; called again, the same orders meet again."""
    sides = ((buyer, Side.buy), (seller, Side.sell))
    return [world.execution(signer, world.order(signer, side, **changes), lots) for signer, side in sides]


def test_markets_come_in_any_sequence_and_again(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    world.settle(
        part(world, buyer, seller, 5, market=ETH_USDC, nonce=2)
        + world.match(buyer, seller, 3, fee=10)
        + part(world, buyer, seller, 4, market=ETH_USDC, nonce=2)
        + world.match(buyer, seller, 1, nonce=3, fee=20)
    )
    assert world.trading(buyer, BTC) == 40_000
    assert world.trading(buyer, ETHER) == 900_000
    assert world.trading(world.fee_account, USDC) == 60
    world.check_solvent([buyer, seller, world.fee_account])


def test_what_one_section_brings_the_next_can_spend(world: World) -> None:
    poor, rich = Signer("poor"), Signer("rich")
    world.deposit(poor, ETHER, 100_000)
    for token, amount in ((USDC, 10_000_000_000), (BTC, 100_000_000)):
        world.deposit(rich, token, amount)
    sale, purchase = world.match(rich, poor, 1, market=ETH_USDC), world.match(poor, rich, 1, nonce=2)
    with reverts("ledger: too little trading"):
        world.settle(purchase + sale)
    world.settle(sale + purchase)
    assert (world.trading(poor, ETHER), world.trading(poor, BTC)) == (0, 10_000)


def test_an_order_over_several_sections_is_not_overfilled(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    between = world.match(buyer, seller, 1, market=ETH_USDC, nonce=2)
    with reverts("order: overfilled"):
        world.settle(part(world, buyer, seller, 6) + between + part(world, buyer, seller, 5))
    world.settle(part(world, buyer, seller, 6) + between + part(world, buyer, seller, 4))


def test_a_single_fill_order_has_one_section(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    between = world.match(buyer, seller, 1, market=ETH_USDC, nonce=2)
    once = part(world, buyer, seller, 1, nonce=single(1))
    with reverts("order: executed before"):
        world.settle(once + between + once)


def test_sums_are_taken_by_section(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    one, between = world.match(buyer, seller, 3), world.match(buyer, seller, 3, market=ETH_USDC, nonce=2)
    with reverts("settle: sums differ"):
        world.settle([one[0], *between, one[1]])


def test_sums_are_taken_by_market(world: World, buyer: Signer, seller: Signer) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    one, other = world.match(buyer, seller, 3), world.match(buyer, seller, 3, market=ETH_USDC, nonce=2)
    with reverts("settle: sums differ"):
        world.settle([one[0], other[1]])


@pytest.mark.parametrize("market", [0, 3, 2**32 - 1])
def test_settle_reverts_for_an_unlisted_market(world: World, buyer: Signer, seller: Signer, market: int) -> None:
    with reverts("market: not listed"):
        world.settle(world.match(buyer, seller, market=market))


def test_settle_reverts_in_a_halted_market_after_the_delay(world: World, buyer: Signer, seller: Signer) -> None:
    world.scheduled("set_market_status", BTC_USDC, True)
    world.pass_time(world.windows.delay - 1)
    world.settle(world.match(buyer, seller, 1))
    world.pass_time(1)
    with reverts("market: halted"):
        world.settle(world.match(buyer, seller, 1, nonce=2))


# one execution against its order


def settle_sale(world: World, buyer: Signer, seller: Signer, lots: int, quote: int, **changes: Any) -> None:
    """Settle a sale at the seller's order against a buyer who accepts anything."""
    generous = world.order(buyer, Side.buy, price=2**40, quantity=2**40, nonce=single(7))
    sale = world.order(seller, Side.sell, **changes)
    world.settle([world.execution(buyer, generous, lots, quote), world.execution(seller, sale, lots, quote)])


def test_limits_bind_each_side(world: World, buyer: Signer, seller: Signer) -> None:
    purchase, sale = world.order(buyer), world.order(seller, Side.sell)
    lower = [world.execution(buyer, purchase, 1, PRICE - 1), world.execution(seller, sale, 1, PRICE - 1)]
    with reverts("order: price too low"):
        world.settle(lower)
    higher = [world.execution(buyer, purchase, 1, PRICE + 1), world.execution(seller, sale, 1, PRICE + 1)]
    with reverts("order: price too high"):
        world.settle(higher)


def test_better_prices_settle(world: World, buyer: Signer, seller: Signer) -> None:
    purchase, sale = world.order(buyer), world.order(seller, Side.sell, price=PRICE - 100)
    world.settle(
        [world.execution(buyer, purchase, 2, 2 * PRICE - 77), world.execution(seller, sale, 2, 2 * PRICE - 77)]
    )


@pytest.mark.parametrize(("lots", "quote"), [(0, PRICE), (1, 0), (0, 0)])
def test_settle_reverts_when_nothing_is_filled(
    world: World, buyer: Signer, seller: Signer, lots: int, quote: int
) -> None:
    with reverts("order: nothing filled"):
        settle_sale(world, buyer, seller, lots, quote)


def test_fee_cap_is_not_skipped_for_a_zero_fill(world: World, seller: Signer) -> None:
    sale = world.order(seller, Side.sell)
    with reverts("order: nothing filled"):
        world.settle([world.execution(seller, sale, 0, 0, fee=1)])


def test_fee_cap_binds(world: World, buyer: Signer, seller: Signer) -> None:
    cap = 10 * PRICE * 10 // 10_000
    with reverts("order: fee over the cap"):
        world.settle(world.match(buyer, seller, 10, fee=cap + 1))
    world.settle(world.match(buyer, seller, 10, fee=cap))


def test_fee_rate_is_in_the_signed_hash(world: World, buyer: Signer, seller: Signer) -> None:
    sale = world.order(seller, Side.sell)
    signature = seller.sign_order(world.domain, sale)
    dearer = world.order(seller, Side.sell, max_fee_bps=500)
    with reverts("order: wrong signer"):
        world.settle([world.match(buyer, seller)[0], world.execution(seller, dearer, signature=signature)])


@pytest.mark.parametrize("signed", [FEE_CAP_BPS, FEE_CAP_BPS + 1, 10_000, 2**16 - 1])
def test_the_contracts_own_fee_cap_binds_whatever_was_signed(
    world: World, buyer: Signer, seller: Signer, signed: int
) -> None:
    cap = PRICE * FEE_CAP_BPS // 10_000
    with reverts("order: fee over the cap"):
        world.settle(world.match(buyer, seller, 1, max_fee_bps=signed, fee=cap + 1))
    world.settle(world.match(buyer, seller, 1, max_fee_bps=signed, fee=cap))
    assert world.trading(world.fee_account, USDC) == 2 * cap


def test_no_fee_is_taken_where_none_was_signed(world: World, buyer: Signer, seller: Signer) -> None:
    with reverts("order: fee over the cap"):
        world.settle(world.match(buyer, seller, max_fee_bps=0, fee=1))
    world.settle(world.match(buyer, seller, max_fee_bps=0))


def test_signed_expiry_is_enforced_after_the_grace(world: World, buyer: Signer, seller: Signer) -> None:
    executions = world.match(buyer, seller, 1, expiry=world.now)
    late = world.match(buyer, seller, 1, expiry=world.now, nonce=2)
    world.pass_time(world.windows.grace)
    world.settle(executions)
    world.pass_time(1)
    with reverts("order: expired"):
        world.settle(late)


def test_expiry_is_at_most_thirty_days_away(world: World, buyer: Signer, seller: Signer) -> None:
    with reverts("order: expiry too far"):
        world.settle(world.match(buyer, seller, expiry=world.now + 30 * 86_400 + 1))
    world.settle(world.match(buyer, seller, expiry=world.now + 30 * 86_400))


def test_fills_accumulate_up_to_the_quantity(world: World, buyer: Signer, seller: Signer) -> None:
    for lots, filled in ((4, 4), (5, 9)):
        settle_parts(world, buyer, seller, lots)
        assert world.custody.filled(seller.address, 1) == filled
    with reverts("order: overfilled"):
        settle_parts(world, buyer, seller, 2)
    settle_parts(world, buyer, seller, 1)
    assert world.custody.filled(seller.address, 1) == ALL_FILLED
    with reverts("order: nonce filled"):
        settle_parts(world, buyer, seller, 1)


def test_an_order_filled_whole_at_once_closes_its_nonce(world: World, buyer: Signer, seller: Signer) -> None:
    settle_parts(world, buyer, seller, 10)
    assert world.custody.filled(seller.address, 1) == ALL_FILLED
    for lots in (1, 10, 11):
        with reverts("order: nonce filled"):
            settle_parts(world, buyer, seller, lots)


@pytest.mark.parametrize("parts", [(10,), (3, 7)])
def test_the_first_order_filled_whole_closes_the_nonce_for_all(
    world: World, buyer: Signer, seller: Signer, parts: tuple[int, ...]
) -> None:
    """Orders that share a nonce cancel one another: a larger one is not filled after a smaller one is whole."""
    for lots in parts:
        settle_parts(world, buyer, seller, lots)
    larger = world.order(seller, Side.sell, quantity=50, price=PRICE - 10)
    with reverts("order: nonce filled"):
        world.settle(
            [world.execution(buyer, world.order(buyer, nonce=2), 1), world.execution(seller, larger, 1, PRICE)]
        )


def test_nothing_is_filled_of_an_order_of_no_lots(world: World, buyer: Signer, seller: Signer) -> None:
    sides = ((buyer, Side.buy), (seller, Side.sell))
    with reverts("order: overfilled"):
        world.settle([world.execution(s, world.order(s, side, quantity=0), 1) for s, side in sides])


def test_the_128_nonces_of_one_slot_do_not_touch_each_other(world: World, buyer: Signer, seller: Signer) -> None:
    """Neighbours in a slot of marks and in a slot of counters, each whole, in part, and untouched."""
    whole, parts = (0, 63, 126, 129), (1, 62, 64, 127, 128)
    for nonce in whole:
        settle_parts(world, buyer, seller, 10, nonce)
    for nonce in parts:
        settle_parts(world, buyer, seller, 1 + nonce % 9, nonce)
    expected = dict.fromkeys(range(132), 0) | dict.fromkeys(whole, ALL_FILLED) | {n: 1 + n % 9 for n in parts}
    assert {nonce: world.custody.filled(seller.address, nonce) for nonce in expected} == expected
    for nonce in parts:
        settle_parts(world, buyer, seller, 9 - nonce % 9, nonce)
    assert [world.custody.filled(seller.address, nonce) for nonce in parts] == [ALL_FILLED] * len(parts)


def settle_parts(world: World, buyer: Signer, seller: Signer, lots: int, nonce: int = 1) -> None:
    """Fill both orders of ten lots in part."""
    sides = ((buyer, Side.buy), (seller, Side.sell))
    world.settle([world.execution(s, world.order(s, side, nonce=nonce), lots) for s, side in sides])


def test_one_batch_cannot_overfill_either(world: World, buyer: Signer, seller: Signer) -> None:
    with reverts("order: nonce filled"):
        world.settle(part(world, buyer, seller, 10) + part(world, buyer, seller, 1)[:1])
    with reverts("order: overfilled"):
        world.settle(part(world, buyer, seller, 9) + part(world, buyer, seller, 2)[:1])


def test_four_nonces_of_one_slot_do_not_touch_each_other(world: World, buyer: Signer, seller: Signer) -> None:
    for nonce in range(8):
        settle_parts(world, buyer, seller, 1 + nonce, nonce)
    assert [world.custody.filled(seller.address, nonce) for nonce in range(8)] == list(range(1, 9))


def test_an_amended_order_keeps_the_fill_count(world: World, buyer: Signer, seller: Signer) -> None:
    settle_parts(world, buyer, seller, 4)
    amended = world.order(seller, Side.sell, quantity=3, price=PRICE - 10)
    with reverts("order: overfilled"):
        world.settle([world.execution(buyer, world.order(buyer), 1), world.execution(seller, amended, 1, PRICE)])


def test_single_fill_orders_execute_once(world: World, buyer: Signer, seller: Signer) -> None:
    settle_parts(world, buyer, seller, 4, single(1))
    assert world.custody.filled(seller.address, single(1)) == ALL_FILLED
    assert world.custody.filled(seller.address, 1) == 0
    with reverts("order: executed before"):
        settle_parts(world, buyer, seller, 1, single(1))
    for sequence in (0, 2, 255, 256):
        settle_parts(world, buyer, seller, 1, single(sequence))


def test_single_fill_orders_are_not_overfilled(world: World, buyer: Signer, seller: Signer) -> None:
    with reverts("order: overfilled"):
        settle_parts(world, buyer, seller, 11, single(1))


@pytest.mark.parametrize("nonce", [2**48, single(2**48), 2**62])
def test_settle_reverts_when_the_nonce_is_out_of_range(world: World, buyer: Signer, seller: Signer, nonce: int) -> None:
    with reverts("order: nonce out of range"):
        world.settle(world.match(buyer, seller, nonce=nonce))
    with reverts("order: nonce out of range"):
        world.custody.filled(buyer.address, nonce)


def test_the_highest_nonce_works(world: World, buyer: Signer, seller: Signer) -> None:
    world.settle(world.match(buyer, seller, nonce=2**48 - 1))


def test_buy_quote_counts_the_quantity_in_quote_units(world: World, buyer: Signer, seller: Signer) -> None:
    def purchase(quote: int, nonce: int) -> None:
        order = world.order(buyer, Side.buy_quote, quantity=10 * PRICE, nonce=nonce)
        sale = world.order(seller, Side.sell, price=1, quantity=20, nonce=nonce & 0xFF)
        world.settle([world.execution(buyer, order, 11, quote), world.execution(seller, sale, 11, quote)])

    with reverts("order: overfilled"):
        purchase(10 * PRICE + 1, single(1))
    with reverts("order: must be single fill"):
        purchase(10 * PRICE, 1)
    purchase(10 * PRICE, single(1))
    assert world.trading(buyer, BTC) == 110_000


def test_settle_reverts_for_an_unknown_side(world: World, buyer: Signer) -> None:
    with reverts("order: unknown side"):
        world.settle([world.execution(buyer, world.order(buyer, 3))])


def test_sums_of_lots_and_quote_are_reconciled(world: World, buyer: Signer, seller: Signer) -> None:
    """The taker's total is checked against the makers' sum, in lots and in quote."""
    purchase = world.order(buyer)
    sale = world.order(seller, Side.sell, price=1)
    for lots, quote in ((9, 10 * PRICE), (10, 10 * PRICE - 1)):
        with reverts("settle: sums differ"):
            world.settle([world.execution(buyer, purchase, 10, 10 * PRICE), world.execution(seller, sale, lots, quote)])


def test_settle_reverts_when_trading_is_too_little(world: World, buyer: Signer, seller: Signer) -> None:
    poor = Signer("poor")
    with reverts("ledger: too little trading"):
        world.settle(world.match(poor, seller))
    with reverts("ledger: too little trading"):
        world.settle(world.match(buyer, poor))


def test_the_fee_comes_on_top_for_a_buyer(world: World, seller: Signer) -> None:
    exact = Signer("exact")
    world.deposit(exact, USDC, 10 * PRICE)
    with reverts("ledger: too little trading"):
        world.settle(world.match(exact, seller, 10, fee=1))
    world.settle(world.match(exact, seller, 10))
    assert world.trading(exact, USDC) == 0


def test_funding_cannot_be_traded(world: World, seller: Signer) -> None:
    holder = Signer("holder")
    world.deposit(holder, USDC, 10 * PRICE, to_funding=True)
    with reverts("ledger: too little trading"):
        world.settle(world.match(holder, seller))


def test_an_account_can_spend_in_a_batch_what_it_receives_in_it(world: World, buyer: Signer, seller: Signer) -> None:
    middle = Signer("middle")
    world.deposit(middle, USDC, 10 * PRICE)
    chain = [
        *world.match(buyer, middle, 10, nonce=2)[:1],
        *world.match(middle, seller, 10),
        *world.match(buyer, middle, 10, nonce=2)[1:],
    ]
    world.settle(chain)
    assert (world.trading(middle, USDC), world.trading(middle, BTC)) == (10 * PRICE, 0)


def test_a_balance_cannot_overflow_its_lane(world: World, seller: Signer) -> None:
    """A wash of amounts nobody has must not reach the neighbouring balance, even for a moment."""
    lots = 2**64 - 1
    purchase = world.order(seller, Side.buy, price=1, quantity=lots, nonce=1)
    sale = world.order(seller, Side.sell, price=0, quantity=lots, nonce=2)
    with reverts("ledger: balance overflow"):
        world.settle([world.execution(seller, purchase, lots, 1), world.execution(seller, sale, lots, 1)])


# signatures


def test_a_signature_is_valid_for_its_account_only(world: World, buyer: Signer, seller: Signer) -> None:
    thief = Signer("thief")
    with reverts("order: wrong signer"):
        world.settle([world.match(buyer, seller)[0], world.execution(thief, world.order(seller, Side.sell))])


@pytest.mark.parametrize(
    "change",
    [{"price": 1}, {"quantity": 11}, {"nonce": 2}, {"market": 2}, {"terms": 1}, {"trigger_price": 1}, {"side": 0}],
)
def test_every_field_is_signed(world: World, buyer: Signer, seller: Signer, change: dict[str, int]) -> None:
    world.deposit(seller, ETHER, 10_000_000)
    signature = seller.sign_order(world.domain, world.order(seller, Side.sell))
    other = world.order(seller, **({"side": Side.sell} | change))
    with reverts("order: wrong signer"):
        world.settle([world.execution(seller, other, 10, 10 * PRICE, signature=signature)])


def test_another_chain_or_contract_is_refused(world: World, buyer: Signer, seller: Signer) -> None:
    sale = world.order(seller, Side.sell)
    mine = world.domain
    for domain in (
        Domain(mine.name, CHAIN_ID + 1, mine.contract),
        Domain(mine.name, CHAIN_ID, bytes(20)),
        Domain("Other", CHAIN_ID, mine.contract),
    ):
        signature = seller.sign_order(domain, sale)
        with reverts("order: wrong signer"):
            world.settle([world.match(buyer, seller)[0], world.execution(seller, sale, signature=signature)])


def test_a_signature_has_one_form(world: World, buyer: Signer, seller: Signer) -> None:
    """The upper half of s is refused: in compact form it cannot even be written for most keys."""
    purchase = world.match(buyer, seller)[0].words()
    words: list[Any] = list(world.match(buyer, seller)[1].words())
    words[5] = (HALF_ORDER + 1).to_bytes(32)
    with reverts("signature: high s"):
        world.settle_words([purchase, tuple(words)])
    words[4], words[5] = bytes(32), bytes(32)
    with reverts("signature: invalid"):
        world.settle_words([purchase, tuple(words)])


def test_nobody_signs_for_the_zero_account(world: World, buyer: Signer, seller: Signer) -> None:
    words: list[Any] = list(world.match(buyer, seller)[1].words())
    words[0] = words[0] & (2**96 - 1)
    words[4], words[5] = bytes(32), bytes(32)
    with reverts("signature: invalid"):
        world.settle_words([tuple(words)])


def test_the_tail_has_no_loose_bits(world: World, buyer: Signer, seller: Signer) -> None:
    words: list[Any] = list(world.match(buyer, seller)[1].words())
    words[3] |= 1 << 64
    with reverts("order: unknown scheme"):
        world.settle_words([world.match(buyer, seller)[0].words(), tuple(words)])


def test_an_eip7702_account_signs_plainly(world: World, buyer: Signer, seller: Signer) -> None:
    boa.env.set_code(seller.address, bytes.fromhex("ef0100") + world.operator.raw)
    world.settle(world.match(buyer, seller))
