"""What every request passes: an id, and a path without its trailing slash."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

API_PREFIX = "/api/"


class RequestIdMiddleware:
    """Gives every request an id: the caller's `X-Request-ID` where it is sane, else a fresh one. Answers carry it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        is_sane = 0 < len(given) <= 64 and given.isprintable() and given.isascii()
        request_id = given if is_sane else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class OptionalSlashMiddleware:
    """Paths of the API carry no trailing slash; one with a slash answers the same."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            request.path_info = request.path_info.rstrip("/")
        return self.get_response(request)
