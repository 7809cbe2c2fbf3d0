"""JSON in and out: only what every part of the service can store."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from django.conf import settings
from rest_framework import exceptions, parsers, renderers, status
from rest_framework.fields import DateTimeField
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.request import Request

MAX_DEPTH = 32


class StrictJSONParser(parsers.BaseParser):
    """JSON that every part of the service can store: no NaN, NUL, lone surrogate, too large integer or deep nest."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            body = _read(stream).decode("utf-8")
            data = json.loads(body, parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise exceptions.ParseError("The body is not UTF-8.") from error
        except RecursionError as error:
            raise PayloadTooLarge(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from error
        except ValueError as error:
            raise exceptions.ParseError(f"The body is not JSON: {error}") from error
        _check_value(data, 0)
        return data


class PayloadTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"
    default_detail = "The request body is too large."


def _read(stream: Any) -> bytes:
    """The body, never more of it than may be sent: a request that is read as a stream passes by Django's own limit."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise PayloadTooLarge(f"The request body is larger than {limit} bytes.")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check_value(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise PayloadTooLarge(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise exceptions.ParseError("The body holds a number beyond the range of a double.")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise exceptions.ParseError("The body holds an integer beyond 64 bits.")
    for child in _children(value):
        _check_value(child, depth + 1)


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise exceptions.ParseError("The body holds a NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise exceptions.ParseError("The body holds a lone surrogate, which is no character.")


class JSONRenderer(renderers.JSONRenderer):
    """UTF-8 as it is, and said so."""

    charset = "utf-8"


def moment(value: Any) -> str | None:
    """A datetime as the contract writes it: ISO 8601, UTC, `Z`."""
    return None if value is None else DateTimeField().to_representation(value)


class AlwaysJSON(BaseContentNegotiation):
    """Whatever a caller says that it accepts: answers are JSON, and files are what they are."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
