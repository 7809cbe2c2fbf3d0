"""JSON values of exactly one type."""

from typing import Any

import pytest
from rest_framework.serializers import Field, ValidationError

from tasks_app.fields import Choice, HttpUrl, ImageReference, Integer, Number, Object, Resolution, Text

NOT_TEXT = [7, 7.5, True, False, [], ["a"], {}, {"a": "b"}]


def refusal(field: Field, value: Any) -> str:
    """The words that a field refuses a value with."""
    with pytest.raises(ValidationError) as refused:
        field.run_validation(value)
    return " ".join(str(item) for item in refused.value.detail)


@pytest.mark.parametrize("field", [Text, HttpUrl, ImageReference, Resolution, lambda: Choice(["JPEG"])])
@pytest.mark.parametrize("value", NOT_TEXT)
def test_only_a_string_is_text(field: Any, value: Any) -> None:
    assert refusal(field(), value) == "must be a string"


@pytest.mark.parametrize("value", ["a", " a ", "a\nb", "雨の路地裏", "🎬", "é" * 10_000])
def test_text_is_kept_as_it_is(value: str) -> None:
    assert Text().run_validation(value) == value


@pytest.mark.parametrize("value", ["", " ", "\n\t ", "\u3000"])
def test_blank_text_says_nothing_and_is_refused(value: str) -> None:
    assert "blank" in refusal(Text(), value)


def test_text_where_blank_is_allowed_may_be_blank() -> None:
    assert Text(allow_blank=True).run_validation("") == ""
    assert Text(allow_blank=True).run_validation("  ") == "  "


def test_text_beyond_its_length_is_refused() -> None:
    assert "10000" in refusal(Text(), "a" * 10_001)


@pytest.mark.parametrize("value", [0, 7, -7, 2**63 - 1])
def test_an_integer_is_a_number_without_a_fraction(value: int) -> None:
    assert Integer().run_validation(value) == value


@pytest.mark.parametrize("value", ["7", "", 7.5, True, False, [7], {"a": 7}])
def test_nothing_else_is_an_integer(value: Any) -> None:
    assert refusal(Integer(), value) == "must be an integer"


@pytest.mark.parametrize(("value", "number"), [(7, 7.0), (7.5, 7.5), (-0.5, -0.5)])
def test_a_number_may_have_a_fraction(value: float, number: float) -> None:
    assert Number().run_validation(value) == number


@pytest.mark.parametrize("value", ["7.5", "", True, False, [7.5], {}])
def test_nothing_else_is_a_number(value: Any) -> None:
    assert refusal(Number(), value) == "must be a number"


@pytest.mark.parametrize("value", ["JPEG", "jpeg", "Jpeg"])
def test_a_choice_may_take_its_words_whatever_their_case(value: str) -> None:
    assert Choice(["JPEG", "PNG"], any_case=True).run_validation(value) == "JPEG"


def test_a_choice_is_exact_unless_said_otherwise() -> None:
    assert refusal(Choice(["queued", "failed"]), "Queued") == "must be one of queued, failed"


@pytest.mark.parametrize("value", ["jpg", "jpeg ", "jpeg\n", "JPEG,PNG"])
def test_another_word_is_refused_and_the_right_ones_are_named(value: str) -> None:
    assert refusal(Choice(["JPEG", "PNG"]), value) == "must be one of JPEG, PNG"


@pytest.mark.parametrize("value", [{}, {"a": None, "b": [1, {"c": True}], "": 1}])
def test_an_object_keeps_everything_in_it(value: dict[str, Any]) -> None:
    assert Object().run_validation(value) == value


@pytest.mark.parametrize("value", [[], [{}], "{}", 7, True, ""])
def test_nothing_else_is_an_object(value: Any) -> None:
    assert refusal(Object(), value) == "must be a JSON object"


@pytest.mark.parametrize(("value", "pair"), [("1024x576", (1024, 576)), ("1x1", (1, 1)), ("99999x16", (99999, 16))])
def test_a_resolution_is_a_width_and_a_height(value: str, pair: tuple[int, int]) -> None:
    assert Resolution().run_validation(value) == pair


@pytest.mark.parametrize(
    "value",
    ["1024", "1024x", "x576", "1024X576", "1024*576", "1024\u00d7576", "1024 x 576", "1024x576 ", "1024x576\n", "0x576",
     "01024x576", "-1024x576", "+1x1", "1024.0x576", "1e3x576", "100000x16", "1024x576x3", "720p", "\uff11\uff10x16"],
)  # fmt: skip
def test_anything_else_is_no_resolution(value: str) -> None:
    assert "WIDTHxHEIGHT" in refusal(Resolution(), value)


@pytest.mark.parametrize(
    "value",
    [
        "https://movie.example/api/webhooks/task-complete",
        "http://movie.example",
        "HTTP://MOVIE.EXAMPLE/",
        "http://web:3000/hook",  # a service of a compose file
        "http://127.0.0.1:8001/a?b=c&d=%20#e",
        "http://[::1]:8001/",
        "https://user:word@movie.example/",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "http://under_score.example/",
    ],
)
def test_an_http_url_passes(value: str) -> None:
    assert HttpUrl().run_validation(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "movie.example",
        "//movie.example/hook",
        "/hook",
        "http:",
        "http://",
        "http:///hook",
        "http:/movie.example",
        "http:movie.example",
        "http://?a=b",
        "http://#a",
        "http://:8001/",
        "http://user@/hook",
        "ftp://movie.example/hook",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "javascript://movie.example/%0aalert(1)",
        "http://movie.example:99999/",
        "http://movie.example:0/",
        "http://movie.example:port/",
        "http://[::1/",
        "http://[not-an-address]/",
        " http://movie.example/",
        "http://movie.example/ ",
        "http://movie.example/a b",
        "http://movie.example/\n",
        "http://mov ie.example/",
        "http://movie\t.example/",
        "http://movie.example\u00a0/",
        "http://movie.example/\u2028",
        "http://<script>/",
        "http://movie.example\\@evil.example/",
        'http://movie".example/',
        "http://movie{}.example/",
    ],
)
def test_anything_else_is_no_http_url(value: str) -> None:
    assert "http or https URL" in refusal(HttpUrl(), value)


def test_a_url_beyond_2000_characters_is_refused() -> None:
    assert "2000" in refusal(HttpUrl(), "https://movie.example/" + "a" * 2000)


@pytest.mark.parametrize(
    "value",
    [
        "https://movie.example/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "media:0193b5c4-7a1e-7c3f-8d2a-000000000001",
        "http://127.0.0.1:8001/api/v1/media/0193b5c4-7a1e-7c3f-8d2a-000000000001/content",
        "data:image/png;base64," + "A" * 2_000_000,
    ],
)
def test_a_picture_comes_by_url_as_data_or_as_media_of_ours(value: str) -> None:
    assert ImageReference().run_validation(value) == value


@pytest.mark.parametrize(
    "value",
    ["a.png", "/etc/passwd", "file:///etc/passwd", "data:text/html,<b>", "data:,", "media:", "media:1", "media:../../x",
     "s3://bucket/a.png", "media:0193b5c4-7a1e-7c3f-8d2a-00000000000g"],
)  # fmt: skip
def test_anything_else_is_no_picture(value: str) -> None:
    assert "media:<media_id>" in refusal(ImageReference(), value)
