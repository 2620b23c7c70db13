"""Orders put together and taken apart without the codec: the same bytes, the same commands."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.order import Order
from exchange.engine.commands import AmendOrder, PlaceOrder
from exchange.journal.codec import decode_command, encode_command
from exchange.journal.plain import PLAIN_SIZE, pack_plain, unpack_plain

packed_orders = st.binary(min_size=80, max_size=80)


@given(packed_orders, st.binary(min_size=32, max_size=32), st.integers(0, 127), st.binary(min_size=85, max_size=85))
def test_plain_record_is_what_the_codec_writes(order: bytes, digest: bytes, scheme: int, signed: bytes) -> None:
    payload = pack_plain(order, digest, scheme, signed[:65], signed[65:])
    assert len(payload) == PLAIN_SIZE
    command = unpack_plain(payload)
    assert command == decode_command(payload)
    assert command is not None
    assert encode_command(command) == payload


@given(st.integers(0, PLAIN_SIZE - 1), st.integers(0, 255))
def test_bent_record_is_read_as_the_codec_reads_it_or_left_to_it(at: int, value: int) -> None:
    payload = bytearray(pack_plain(bytes(80), bytes(32), 0, bytes(65), bytes(20)))
    payload[at] = value
    command = unpack_plain(bytes(payload))
    assert command is None or command == decode_command(bytes(payload))


def test_other_commands_are_left_to_the_codec() -> None:
    placed = PlaceOrder(Order.unpack(bytes(80)), bytes(32), 0, bytes(65), bytes(20))
    assert unpack_plain(encode_command(placed)) == placed
    assert unpack_plain(encode_command(replace(placed, client_order_id="x"))) is None
    assert unpack_plain(encode_command(replace(placed, signature=bytes(64)))) is None
    amend = AmendOrder(placed.order, placed.order_hash, placed.scheme, placed.signature, placed.signer)
    assert unpack_plain(encode_command(amend)) is None
