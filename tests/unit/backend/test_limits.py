"""Token buckets and connection counts."""

from __future__ import annotations

import pytest

from backend.errors import RateLimited
from backend.limits import MAX_KEYS, Connections, RateLimiter


class Clock:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    limiter = RateLimiter("address", 2, 5, clock)
    for _ in range(5):
        limiter.take("a")
    with pytest.raises(RateLimited) as refused:
        limiter.take("a")
    assert (refused.value.retry_after, refused.value.params["key"]) == (1, "address")
    clock.now = 0.5
    limiter.take("a")
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = Clock()
    limiter = RateLimiter("address", 100, 2, clock)
    limiter.take("a")
    clock.now = 1_000
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_keys_have_buckets_of_their_own() -> None:
    limiter = RateLimiter("address", 1, 1, Clock())
    limiter.take("a")
    limiter.take("b")
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_retry_after_is_when_the_tokens_are_there() -> None:
    limiter = RateLimiter("account", 0.1, 1, Clock())
    limiter.take(b"a")
    with pytest.raises(RateLimited) as refused:
        limiter.take(b"a")
    assert refused.value.retry_after == 10


def test_a_limiter_forgets_the_keys_used_longest_ago() -> None:
    limiter = RateLimiter("address", 1, 1, Clock())
    for number in range(MAX_KEYS + 1):
        limiter.take(str(number))
    limiter.take("0")
    with pytest.raises(RateLimited):
        limiter.take(str(MAX_KEYS))


def test_connections_are_counted_by_address() -> None:
    connections = Connections(2)
    assert connections.enter("a")
    assert connections.enter("a")
    assert not connections.enter("a")
    assert connections.enter("b")
    assert connections.total == 3
    connections.leave("a")
    assert connections.enter("a")
