"""Who signed a digest. A signature is 65 bytes, r (32) s (32) v (1, 27 or 28) with a low s."""

from coincurve import PublicKey

from exchange.domain.eip712 import keccak

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_SIZE = 65
_HIGHEST_S = (CURVE_ORDER // 2).to_bytes(32)


def address_of(public_key: PublicKey) -> bytes:
    """The 20-byte address of a public key."""
    return keccak(public_key.format(compressed=False)[1:])[12:]


def recover(digest: bytes, signature: bytes) -> bytes | None:
    """The 20-byte address that signed `digest`, or None if the signature is not canonical or is nobody's."""
    if len(signature) != SIGNATURE_SIZE or signature[64] not in (27, 28) or signature[32:64] > _HIGHEST_S:
        return None
    recoverable = signature[:64] + bytes((signature[64] - 27,))
    try:
        public = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # coincurve raises a bare Exception where r belongs to no point of the curve
        return None
    return address_of(public)
