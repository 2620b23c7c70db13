"""The PROXY protocol, versions 1 and 2: a proxy that is trusted says first whose connection it carries.

ProxyError    what a proxy sends before all else is no header
"""

import struct
from ipaddress import ip_address
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_LINE = 107
_HEAD = struct.Struct(">12sBBH")
_LONGEST = 2_048
_V2, _LOCAL, _PROXY = 0x20, 0x20, 0x21
_ADDRESS_SIZES = {0x11: 4, 0x21: 16}
"""TCP over IPv4 and over IPv6."""


class ProxyError(ValueError):
    """What came is no header of the PROXY protocol."""


class Header(NamedTuple):
    """How long a header is, and whose connection follows; None where the proxy speaks for itself."""

    size: int
    address: str | None


def read_header(data: bytes) -> Header | None:
    """The header at the front; None while it is not whole. ProxyError for anything else."""
    if data.startswith(SIGNATURE[: len(data)]):
        return _read_binary(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _read_line(data)
    raise ProxyError("a trusted proxy says first whose connection it carries (PROXY protocol)")


def binary_header(address: str) -> bytes:
    """The header, version 2, for a connection from `address`; where that is none, the proxy speaks for itself."""
    try:
        packed = ip_address(address).packed
    except ValueError:
        return _HEAD.pack(SIGNATURE, _LOCAL, 0, 0)
    family = 0x11 if len(packed) == 4 else 0x21
    body = packed + bytes(len(packed)) + bytes(4)
    return _HEAD.pack(SIGNATURE, _PROXY, family, len(body)) + body


def _read_binary(data: bytes) -> Header | None:
    if len(data) < _HEAD.size:
        return None
    _, command, family, size = _HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY) or size > _LONGEST:
        raise ProxyError(f"a header of kind {command} with {size} bytes is none of version 2")
    end = _HEAD.size + size
    if len(data) < end:
        return None
    width = _ADDRESS_SIZES.get(family)
    if command == _LOCAL or width is None:
        return Header(end, None)
    if size < 2 * width + 4:
        raise ProxyError("the header ends within its addresses")
    return Header(end, str(ip_address(data[_HEAD.size : _HEAD.size + width])))


def _read_line(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE:
            raise ProxyError(f"the line of the PROXY protocol has at most {_LONGEST_LINE} bytes")
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return Header(end + 2, None)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise ProxyError("the line of the PROXY protocol has a family, two addresses and two ports")
    try:
        return Header(end + 2, str(ip_address(words[2])))
    except ValueError:
        raise ProxyError(f"{words[2][:50]} is no address") from None
