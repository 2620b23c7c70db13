"""Signed frames for tests."""

from collections.abc import Collection, Sequence

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.frame import pack_amends
from exchange.domain.order import Order
from exchange.engine.commands import PlaceFrame, PlaceMixedFrame
from tests.utils.signing import Signer

DOMAIN = Domain("Bizzan", 31_337, b"\xcc" * 20)


def frame_of(
    signer: Signer, orders: Sequence[Order], domain: Domain = DOMAIN, account: bytes | None = None
) -> PlaceFrame:
    """Orders under one signature; of the signer's own account unless said otherwise."""
    tree = Tree(orders)
    delegated = account is not None and account != signer.raw
    scheme = Scheme.bulk | Scheme.delegate if delegated else Scheme.bulk
    signature = signer.key.sign(tree.digest(domain))
    packed = b"".join(order.pack() for order in orders)
    return PlaceFrame(signer.raw, int(scheme), domain.separator, tree.root, signature, packed)


def mixed_frame_of(
    signer: Signer,
    orders: Sequence[Order],
    amends: Collection[int] = (),
    domain: Domain = DOMAIN,
    account: bytes | None = None,
) -> PlaceMixedFrame:
    """Orders of any kind under one signature, of which those at some places amend."""
    plain = frame_of(signer, orders, domain, account)
    signed = (plain.signer, plain.scheme, plain.separator, plain.root, plain.signature, plain.orders)
    return PlaceMixedFrame(*signed, pack_amends(len(orders), amends))
