"""Signed frames for tests."""

from collections.abc import Sequence

from exchange.domain.bulk import Tree
from exchange.domain.eip712 import Domain, Scheme
from exchange.domain.order import Order
from exchange.engine.commands import PlaceFrame
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
