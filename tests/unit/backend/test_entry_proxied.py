"""The PROXY protocol: both versions, in pieces, and what is none."""

import pytest

from backend.addresses import is_trusted
from backend.entry.proxied import SIGNATURE, Header, ProxyError, binary_header, read_header

LINE = b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 8001\r\n"


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_header_of_version_2_says_whose_connection_it_is(address: str) -> None:
    header = binary_header(address)
    for cut in range(len(header)):
        assert read_header(header[:cut]) is None
    assert read_header(header + b"more") == Header(len(header), address)


def test_proxy_may_speak_for_itself() -> None:
    assert read_header(binary_header("")) == Header(16, None)
    assert read_header(b"PROXY UNKNOWN ffff::1\r\nmore") == Header(23, None)
    assert read_header(SIGNATURE + b"\x21\x31\0\x03abc") == Header(19, None), "a Unix socket"


def test_line_of_version_1_says_whose_connection_it_is() -> None:
    for cut in range(len(LINE)):
        assert read_header(LINE[:cut]) is None
    assert read_header(LINE + b"more") == Header(len(LINE), "203.0.113.7")
    assert read_header(LINE.replace(b"TCP4 203.0.113.7", b"TCP6 2001:db8::7")) == Header(len(LINE), "2001:db8::7")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x17\x01", "says first whose"),
        (b"GET / HTTP/1.1\r\n", "says first whose"),
        (b"PROXY TCP4 203.0.113.7 8001\r\n", "two addresses"),
        (b"PROXY TCP4 here there 1 2\r\n", "no address"),
        (b"PROXY " + b"x" * 120, "at most 107"),
        (SIGNATURE + b"\x31\x11\0\x0c" + bytes(12), "version 2"),
        (SIGNATURE + b"\x21\x11\xff\xff", "version 2"),
        (SIGNATURE + b"\x21\x11\0\x04" + bytes(4), "within its addresses"),
    ],
)
def test_what_is_no_header_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ProxyError, match=words):
        read_header(data)


def test_only_the_networks_named_are_trusted() -> None:
    assert not is_trusted("10.0.0.1", ())
    assert is_trusted("10.0.0.1", ("10.0.0.0/8",))
    assert not is_trusted("11.0.0.1", ("10.0.0.0/8",))
    assert not is_trusted("", ("0.0.0.0/0",))
