# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Parts
@license Apache-2.0
@notice The custody contract is several pieces of code on one storage. Each is fixed in the code of the one before it, which
        at deployment refuses one that was made with other windows, another fee cap or another domain name.
@custom:invariant V1
@custom:kill Nothing to stop: there is no state.
"""

from ..interfaces import ICustody
from . import eip712


@internal
@view
def _check(part: address, name: String[32], windows: ICustody.Windows, fee_cap_bps: uint256):
    theirs: ICustody.Windows = staticcall ICustody(part).windows()
    assert keccak256(abi_encode(theirs)) == keccak256(abi_encode(windows)), "windows: extension differs"
    assert staticcall ICustody(part).fee_cap_bps() == fee_cap_bps, "fees: extension differs"
    domain: bytes32 = keccak256(
        abi_encode(eip712.DOMAIN_TYPE_HASH, keccak256(name), eip712.VERSION_HASH, chain.id, part)
    )
    assert staticcall ICustody(part).domain_separator() == domain, "name: extension differs"
