"""Who signed: key recovery by libsecp256k1, with the same strictness as the contract (low s, v 27 or 28)."""

from coincurve import PublicKey

from exchange.domain.eip712 import keccak
from exchange.domain.errors import ErrorCode, Refusal

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def wrong_signature(reason: str, field: str = "signature") -> Refusal:
    """The refusal of a signature."""
    return Refusal(ErrorCode.wrong_signature, f"the signature is wrong: {reason}", field)


def recover(digest: bytes, signature: bytes) -> bytes:
    """The address (20 bytes) whose key signed `digest`. Refuses another length, v, a high s and nonsense."""
    if len(signature) != 65:
        raise wrong_signature("it must have 65 bytes")
    v = signature[64]
    if v not in (27, 28):
        raise wrong_signature("v must be 27 or 28")
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        raise wrong_signature("s must be in the lower half of the order")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes((v - 27,)), digest, None)
    except Exception:  # coincurve raises a bare Exception and ValueError
        raise wrong_signature("no key can have made it") from None
    return keccak(key.format(compressed=False)[1:])[12:]
