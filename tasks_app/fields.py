"""JSON values of exactly one type: Django REST framework's own fields take "7" for 7 and 7 for "7"."""

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from rest_framework import serializers

HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+")
"""A name (also a bare one, as of a compose file, or in another alphabet) or an IPv6 address without its brackets."""

RESOLUTION = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")


class Text(serializers.CharField):
    """A JSON string, kept as it is; one of spaces alone is as blank as an empty one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "max_length": 10_000, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("must be a string")
        if not self.allow_blank and not data.strip():
            self.fail("blank")
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("must be an integer")
        return data


class Number(serializers.FloatField):
    """A JSON number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError("must be a number")
        return float(data)


class Choice(Text):
    """One of a few words; `any_case` takes them in upper or lower case."""

    def __init__(self, choices: list[str], *, any_case: bool = False, **kwargs: Any) -> None:
        self.spelled = str.lower if any_case else str
        self.choices = {self.spelled(choice): choice for choice in choices}
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        word = self.spelled(super().to_internal_value(data))
        if word not in self.choices:
            raise serializers.ValidationError(f"must be one of {', '.join(self.choices.values())}")
        return self.choices[word]


class Object(serializers.DictField):
    """A JSON object."""

    default_error_messages = {"not_a_dict": "must be a JSON object"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"child": serializers.JSONField(allow_null=True), **kwargs})

    def run_child_validation(self, data: Any) -> Any:
        return data


class Resolution(Text):
    """ "WIDTHxHEIGHT" in pixels; the value is the pair."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if not RESOLUTION.fullmatch(text):
            raise serializers.ValidationError('must be "WIDTHxHEIGHT" in pixels, for example "1024x576"')
        width, height = text.split("x")
        return int(width), int(height)


class HttpUrl(Text):
    """An absolute http or https URL."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 2000, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_http_url(text):
            raise serializers.ValidationError("must be a valid http or https URL")
        return text


class ImageReference(Text):
    """Where an input picture is: an http(s) URL, `data:image/...`, or `media:<media_id>` of the same project."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 12_000_000, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not (text.startswith("data:image/") or _is_media(text) or is_http_url(text)):
            raise serializers.ValidationError("must be an http or https URL, a data:image/ URL or media:<media_id>")
        return text


def is_http_url(text: str) -> bool:
    """Whether this is an absolute http or https URL with a host and no stray characters."""
    try:
        parts = urlsplit(text)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        return False
    # A backslash: some clients end the host there, others do not, so the guard and the caller could disagree.
    printable = text.isprintable() and not re.search(r"[\s\\]", text)
    host_is_sane = bool(HOST.fullmatch(parts.hostname or ""))
    return parts.scheme in {"http", "https"} and host_is_sane and port_is_sane and printable


def _is_media(text: str) -> bool:
    try:
        return text.startswith("media:") and bool(UUID(text.removeprefix("media:")))
    except ValueError:
        return False
