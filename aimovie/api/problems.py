"""One shape for every error, 4xx and 5xx alike, never HTML, never a stack trace."""

import logging
import math
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from aimovie.api.parsing import moment
from aimovie.errors import DomainError

log = logging.getLogger(__name__)

CODES = {400: "validation_error", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
         406: "not_acceptable", 409: "conflict", 413: "payload_too_large", 415: "unsupported_media_type",
         429: "rate_limited", 503: "unavailable"}  # fmt: skip


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Every error of a view, in the one shape; what nobody foresaw is logged whole and answered without a trace."""
    set_rollback()
    response = _answer(error)
    response.data = _shape(response, context["request"])
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if (wait := getattr(error, "wait", None)) is not None:
        response["Retry-After"] = str(math.ceil(wait))
    return response


def _answer(error: Exception) -> Response:
    match error:
        case DomainError():
            code, status, words = "conflict", 409, {"message": error.message, "details": error.details}
        case serializers.ValidationError():
            code, status, words = "validation_error", 400, _flatten(error.detail)
        case RequestDataTooBig():
            code, status, words = "payload_too_large", 413, {"message": str(error)}
        case Http404():
            code, status, words = "not_found", 404, {"message": "There is no such thing here."}
        case exceptions.UnsupportedMediaType():
            code, status = "unsupported_media_type", 415
            words = {"message": "The body must be JSON: send Content-Type: application/json."}
        case exceptions.APIException():
            status, words = error.status_code, {"message": str(error.detail)}
            code = CODES.get(status, "error")
        case OperationalError() | InterfaceError():
            log.error("the database is away: %s", error)
            code, status, words = "unavailable", 503, {"message": "The database is away; try again soon."}
        case _:
            log.exception("unforeseen", exc_info=error)
            code, status, words = "internal", 500, {"message": "Something went wrong on our side."}
    return Response({"error": code, **words}, status, headers={"Retry-After": "5"} if status == 503 else None)


def _flatten(detail: Any) -> dict[str, Any]:
    """`message` names the first field at fault in words, `details` all of them, nested as they were sent."""
    return {"message": in_words(detail), "details": {"body": detail} if isinstance(detail, list) else detail}


def in_words(detail: Any) -> str:
    """The first fault of a validation error as one sentence: `task_data.prompt: is required`."""
    path, node = [], detail
    while isinstance(node, dict | list):
        if isinstance(node, list):
            node = next((item for item in node if item), "")
            continue
        name, node = next((key, value) for key, value in node.items() if value)
        path.append(str(name))
    where = ".".join(part for part in path if part != "non_field_errors")
    return f"{where}: {node}" if where else str(node)


def _shape(response: Response, request: Request | HttpRequest) -> dict[str, Any]:
    body = dict(response.data or {})
    return {
        "error": body["error"],
        "message": body["message"],
        "details": body.get("details", {}),
        "timestamp": moment(timezone.now()),
        "request_id": getattr(request, "request_id", None),
    }


def error_page(code: str, message: str, status_code: int) -> Callable[..., HttpResponse]:
    """A Django error view (no route, a failed middleware) that answers in the API's shape."""

    def view(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        body = Response({"error": code, "message": message})
        return JsonResponse(_shape(body, request), status=status_code)

    return view
