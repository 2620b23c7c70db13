"""What operators write must be seen by who reads it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from backend.operator.schemas import PostAnnouncement, Request

HIDDEN = {
    "zero width spaces": "\u200b\u200b\u200b",
    "soft hyphens": "\xad\xad\xad",
    "blank braille": "\u2800\u2800\u2800",
    "blank braille within": "a \u2800 b",
    "Hangul fillers": "\u3164\u115f\uffa0",
    "tag characters": "\U000e0041\U000e0042\U000e0043",
    "tag characters behind a text": "all is well\U000e0041",
    "another direction": "\u202eevil\u202c",
    "a line separator": "a\u2028b c",
    "a paragraph separator": "a\u2029b c",
    "a next line": "a\u0085bc",
    "joiners alone": "\u200d\u200c\u200d",
    "marks alone": "\u0301\u0301\u0301",
    "wide spaces": "\u3000\u3000\u3000",
}
SEEN = (
    "The price is wrong.",
    "参考价格有误。",
    "السعر غير صحيح",
    "قیمت نمی\u200cشود",
    "a family: 👨\u200d👩\u200d👧 ❤️",
    "1 > 0",
)


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Request(reason=text)
    with pytest.raises(ValidationError):
        PostAnnouncement(reason="a test", severity="info", until_ms=1, texts={"en": text})


@pytest.mark.parametrize("text", SEEN)
def test_what_languages_need_is_taken(text: str) -> None:
    assert Request(reason=text).reason == text
    assert PostAnnouncement(reason="a test", severity="info", until_ms=1, texts={"en": text}).texts == {"en": text}
