"""JSON in: only what every part of the service can store. JSON out: UTF-8, times with a Z."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from aimovie.api.parsing import JSONRenderer, PayloadTooLarge, StrictJSONParser, moment


def parse(body: bytes | str) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body.encode() if isinstance(body, str) else body))


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        "rain",
        "雨 🎬 é",
        {"a": [1, 1.5, -0.5, True, None, {"b": ""}]},
        2**63 - 1,
        -(2**63),
        1.7976931348623157e308,
        "\u0001\t\n",
    ],
)
def test_plain_json_comes_through_unchanged(value: Any) -> None:
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False)) == value


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse(r'"\ud83c\udfac"') == "🎬"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": 1} {"b": 2}', "not JSON"),
        ("a=1&b=2", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('{"a": "\n"}', "not JSON"),
        ("[01]", "not JSON"),
        ("NaN", "NaN"),
        ('{"a": [NaN]}', "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ("[-Infinity]", "-Infinity"),
        ("1e999", "range of a double"),
        ('{"a": [-1e999]}', "range of a double"),
        (str(2**63), "64 bits"),
        (f'{{"a": {2**64}}}', "64 bits"),
        (f"[{-(2**63) - 1}]", "64 bits"),
        ("9" * 5000, "not JSON"),
        (r'"a\u0000b"', "NUL"),
        (r'{"a\u0000": 1}', "NUL"),
        (r'["\ud800"]', "surrogate"),
        (r'{"\udfff": 1}', "surrogate"),
        (r'"\udfac\ud83c"', "surrogate"),
        (b'"\xff"', "UTF-8"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
    ],
)
def test_what_could_not_be_stored_is_refused_in_words(body: bytes | str, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        parse(body)


@pytest.mark.parametrize("depth", [33, 200, 5_000, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_a_deep_nest_is_too_large(depth: int, opens: str, closes: str) -> None:
    with pytest.raises(PayloadTooLarge, match="32 levels"):
        parse(opens * depth + "1" + closes * depth)


def test_a_nest_of_32_levels_passes() -> None:
    assert parse("[" * 32 + "]" * 32)


def test_a_body_beyond_the_limit_is_not_even_read(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert parse('"' + "a" * 98 + '"') == "a" * 98
    stream = io.BytesIO(b'"' + b"a" * 1_000_000 + b'"')
    with pytest.raises(PayloadTooLarge, match="100 bytes"):
        StrictJSONParser().parse(stream)
    assert stream.tell() <= 101


def test_answers_are_utf8_as_it_is() -> None:
    assert JSONRenderer().render({"a": "雨"}) == '{"a":"雨"}'.encode()
    assert JSONRenderer.charset == "utf-8"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (datetime(2026, 11, 22, 10, 30, tzinfo=UTC), "2026-11-22T10:30:00Z"),
        (
            datetime(2026, 11, 22, 12, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=2))),
            "2026-11-22T10:30:00.250000Z",
        ),
    ],
)
def test_a_moment_is_iso_8601_in_utc_with_a_z(value: datetime | None, text: str | None) -> None:
    assert moment(value) == text
