"""settle: orders that were signed in bulk."""

from typing import Any

import pytest

from exchange.domain.bulk import EMPTY, BulkSignature, Proof, Tree
from exchange.domain.eip712 import Scheme, keccak, order_struct_hash
from exchange.domain.order import Order, Side
from exchange.domain.settlement import MAX_PROOFS, Execution, pack
from exchange.engine.commands import PlaceFrame
from exchange.engine.frames import orders_of
from exchange.journal.codec import decode_command, encode_command
from tests.utils.contracts import World, reverts
from tests.utils.frames import frame_of
from tests.utils.signing import Signer

PRICE = 6_000_000
INDEX, HEIGHT, START = 64, 80, 88  # where they stand in the tail


def sales(world: World, seller: Signer, count: int = 5) -> list[Order]:
    return [world.order(seller, Side.sell, quantity=1, nonce=nonce) for nonce in range(count)]


def purchase(world: World, buyer: Signer, lots: int) -> Execution:
    return world.execution(buyer, world.order(buyer, quantity=lots))


def signed(world: World, tree: Tree, signer: Signer, scheme: Scheme = Scheme.bulk) -> list[Execution]:
    """Every order of the tree filled whole."""
    blobs = tree.signatures(signer.key.sign(tree.digest(world.domain)))
    return [
        Execution(order, int(scheme), blob, order.quantity, order.price * order.quantity, 0)
        for order, blob in zip(tree.orders, blobs, strict=True)
    ]


@pytest.mark.parametrize("count", [2, 3, 5, 8, 33])
def test_one_signature_settles_many_orders(world: World, buyer: Signer, seller: Signer, count: int) -> None:
    executions = signed(world, Tree(sales(world, seller, count)), seller)
    world.settle([purchase(world, buyer, count), *executions])
    logged = [log.order_hash for log in world.custody.get_logs() if type(log).__name__ == "OrderExecuted"]
    assert logged[1:] == [world.domain.order_hash(execution.order) for execution in executions]
    assert [world.custody.filled(seller.address, nonce) for nonce in range(count)] == [2**64 - 1] * count


def test_orders_of_the_largest_tree_settle(world: World, buyer: Signer, seller: Signer) -> None:
    executions = signed(world, Tree(sales(world, seller, 1024)), seller)
    world.settle([purchase(world, buyer, 2), executions[0], executions[1023]])


def test_orders_of_a_tree_are_filled_in_parts_and_in_any_order(world: World, buyer: Signer, seller: Signer) -> None:
    orders = [world.order(seller, Side.sell, quantity=10, nonce=nonce) for nonce in range(3)]
    whole = signed(world, Tree(orders), seller)
    parts = [Execution(e.order, e.scheme, e.signature, 4, 4 * PRICE, 0) for e in whole]
    bought = world.execution(buyer, world.order(buyer, quantity=100), 8)
    world.settle([bought, parts[2], parts[0]])
    world.settle([bought, parts[0], parts[1]])
    assert [world.custody.filled(seller.address, nonce) for nonce in range(3)] == [8, 4, 4]
    with reverts("order: overfilled"):
        world.settle([bought, parts[0], parts[2]])


def test_a_delegate_signs_in_bulk(world: World, buyer: Signer, seller: Signer) -> None:
    delegate = Signer("delegate")
    executions = signed(world, Tree(sales(world, seller)), delegate, Scheme.bulk | Scheme.delegate)
    batch = [purchase(world, buyer, 5), *executions]
    with reverts("delegate: unknown"):
        world.settle(batch)
    world.custody.add_delegate(delegate.address, 4, world.now + 7_200, sender=seller.address)
    with reverts("delegate: out of scope"):
        world.settle(batch)
    world.custody.add_delegate(delegate.address, 6, world.now + 7_200, sender=seller.address)
    world.settle(batch)


def test_an_order_of_a_delegate_in_bulk_expires_within_a_day(world: World, buyer: Signer, seller: Signer) -> None:
    delegate = Signer("delegate")
    world.custody.add_delegate(delegate.address, 6, world.now + 200_000, sender=seller.address)
    orders = [world.order(seller, Side.sell, quantity=1, nonce=n, expiry=world.now + 86_400 + n) for n in range(3)]
    executions = signed(world, Tree(orders), delegate, Scheme.bulk | Scheme.delegate)
    with reverts("order: expiry too far"):
        world.settle([purchase(world, buyer, 1), executions[1]])
    world.settle([purchase(world, buyer, 1), executions[0]])


def test_another_signs_in_bulk_for_nobody(world: World, buyer: Signer, seller: Signer) -> None:
    for scheme, reason in (
        (Scheme.bulk, "order: wrong signer"),
        (Scheme.bulk | Scheme.delegate, "delegate: unknown"),
    ):
        thief = signed(world, Tree(sales(world, seller)), Signer("thief"), scheme)
        with reverts(reason):
            world.settle([purchase(world, buyer, 1), thief[0]])


def test_an_order_outside_the_tree_does_not_settle(world: World, buyer: Signer, seller: Signer) -> None:
    """Another order, another place, another height, another sibling: all are other digests, so other signers."""
    tree = Tree(sales(world, seller, 4))
    first, second = signed(world, tree, seller)[:2]
    proof = tree.proof(0)
    cheaper = world.order(seller, Side.sell, quantity=1, nonce=0, price=1)
    signature = first.signature[:65]
    forged = [
        (cheaper, proof),
        (first.order, Proof(1, proof.path)),
        (first.order, Proof(0, proof.path[:1])),
        (first.order, Proof(0, (*proof.path, bytes(32)))),
        (first.order, Proof(0, (proof.path[1], proof.path[0]))),
        (second.order, proof),
    ]
    for order, other in forged:
        execution = Execution(order, int(Scheme.bulk), BulkSignature(signature, other).pack(), 1, PRICE, 0)
        with reverts("order: wrong signer"):
            world.settle([purchase(world, buyer, 1), execution])
    world.settle([purchase(world, buyer, 1), first])


def test_a_plain_signature_is_none_in_bulk_and_the_reverse(world: World, buyer: Signer, seller: Signer) -> None:
    tree = Tree(sales(world, seller, 2))
    plain = seller.sign_order(world.domain, tree.orders[0])
    in_bulk = BulkSignature(plain, tree.proof(0)).pack()
    alone = seller.key.sign(tree.digest(world.domain))
    for scheme, signature in ((Scheme.bulk, in_bulk), (Scheme.account, alone)):
        with reverts("order: wrong signer"):
            world.settle([purchase(world, buyer, 1), Execution(tree.orders[0], int(scheme), signature, 1, PRICE, 0)])


def test_a_signature_over_a_bare_root_is_none(world: World, buyer: Signer, seller: Signer) -> None:
    """The height is signed, and the root is no message by itself."""
    tree = Tree(sales(world, seller, 4))
    for digest in (
        tree.root,
        world.domain.digest(tree.root),
        world.domain.digest(keccak(keccak(b"BulkOrder(bytes32 root)") + tree.root)),
        Tree(sales(world, seller, 8)).digest(world.domain),
    ):
        blob = BulkSignature(seller.key.sign(digest), tree.proof(0)).pack()
        with reverts("order: wrong signer"):
            world.settle([purchase(world, buyer, 1), Execution(tree.orders[0], int(Scheme.bulk), blob, 1, PRICE, 0)])


def test_an_empty_order_never_settles(world: World, buyer: Signer, seller: Signer) -> None:
    tree = Tree(sales(world, seller, 3))
    assert tree.proof(2).path[0] == order_struct_hash(EMPTY)
    blob = BulkSignature(seller.key.sign(tree.digest(world.domain)), tree.proof(3)).pack()
    for scheme in (Scheme.bulk, Scheme.bulk | Scheme.delegate):
        for lots, quote in ((1, PRICE), (1, 0), (0, 0)):
            with reverts("market: not listed"):
                world.settle([Execution(EMPTY, int(scheme), blob, lots, quote, 0)])


# where the path stands


def words_of(world: World, buyer: Signer, seller: Signer) -> tuple[list[list[Any]], list[bytes]]:
    batch = [purchase(world, buyer, 1), signed(world, Tree(sales(world, seller)), seller)[2]]
    words, proofs = pack(batch)
    return [list(each) for each in words], proofs


def settle_changed(world: World, words: list[list[Any]], proofs: list[bytes]) -> None:
    world.settle_words([tuple(each) for each in words], proofs)


@pytest.mark.parametrize(
    ("shift", "value", "reason"),
    [
        (HEIGHT, 0, "bulk: height out of range"),
        (HEIGHT, 11, "bulk: height out of range"),
        (HEIGHT, 255, "bulk: height out of range"),
        (INDEX, 8, "bulk: index out of range"),
        (INDEX, 0xFFFF, "bulk: index out of range"),
        (START, 1, "bulk: path out of range"),
        (START, 0xFFFF, "bulk: path out of range"),
        (START + 16, 1, "order: unknown scheme"),
        (247, 1, "order: unknown scheme"),
        (250, 1, "order: unknown scheme"),
        (255, 1, "order: unknown scheme"),
        (INDEX, 3, "order: wrong signer"),
        (HEIGHT, 2, "order: wrong signer"),
    ],
)
def test_the_place_is_bounded(world: World, buyer: Signer, seller: Signer, shift: int, value: int, reason: str) -> None:
    words, proofs = words_of(world, buyer, seller)
    widths = {INDEX: 16, HEIGHT: 8, START: 16}
    words[1][3] = words[1][3] & ~(((1 << widths.get(shift, 0)) - 1) << shift) | value << shift
    with reverts(reason):
        settle_changed(world, words, proofs)


def test_a_path_ends_where_the_proofs_end(world: World, buyer: Signer, seller: Signer) -> None:
    words, proofs = words_of(world, buyer, seller)
    with reverts("bulk: path out of range"):
        settle_changed(world, words, proofs[:-1])
    for level in range(len(proofs)):
        with reverts("order: wrong signer"):
            settle_changed(world, words, [*proofs[:level], b"\1" * 32, *proofs[level + 1 :]])
    settle_changed(world, words, [*proofs, b"\1" * 32])


def test_a_path_starts_anywhere_in_the_proofs(world: World, buyer: Signer, seller: Signer) -> None:
    words, proofs = words_of(world, buyer, seller)
    before = MAX_PROOFS - len(proofs)
    words[1][3] |= before << START
    settle_changed(world, words, [b"\1" * 32] * before + proofs)


def test_an_order_by_itself_has_no_place(world: World, buyer: Signer, seller: Signer) -> None:
    words, proofs = words_of(world, buyer, seller)
    words[0][3] |= 1 << HEIGHT
    with reverts("order: unknown scheme"):
        settle_changed(world, words, proofs)


@pytest.mark.parametrize("count", [2, 5, 64])
def test_orders_of_a_frame_settle_as_the_engine_keeps_them(
    world: World, buyer: Signer, seller: Signer, count: int
) -> None:
    """The frame as it is journaled is all that settlement needs: each order's signature follows from it."""
    frame = frame_of(seller, sales(world, seller, count), world.domain)
    command = decode_command(encode_command(frame))
    assert isinstance(command, PlaceFrame)
    unfolded = command.judged().unfolded
    assert unfolded is not None
    executions = [
        Execution(placed.order, placed.scheme, placed.signature, 1, PRICE, 0) for placed in orders_of(command, unfolded)
    ]
    world.settle([purchase(world, buyer, count), *executions])
    assert [world.custody.filled(seller.address, nonce) for nonce in range(count)] == [2**64 - 1] * count
