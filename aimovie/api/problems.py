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
         406: "not_acceptable", 409: "conflict", 413: "payload_too_large", 415: "unsupported_media_type", 429: "rate_limited",
         503: "unavailable"}  # fmt: skip


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Every error of a view, in the one shape; what nobody foresaw is logged whole and answered without a trace."""
    set_rollback()
    response = _answer(error)
    response.data = _shape(response, context["request"])
    if isinstance(error, exceptions.APIException):
        for name in ("auth_header", "wait"):
            _add_header(response, name, getattr(error, name, None))
    return response


def _answer(error: Exception) -> Response:
    match error:
        case DomainError():
            return Response({"error": "conflict", "message": error.message, "details": error.details}, 409)
        case serializers.ValidationError():
            return Response({"error": "validation_error", **_flatten(error.detail)}, 400)
        case RequestDataTooBig():
            return Response({"error": "payload_too_large", "message": str(error)}, 413)
        case Http404():
            return Response({"error": "not_found", "message": "There is no such thing here."}, 404)
        case exceptions.APIException():
            code = CODES.get(error.status_code, "error")
            return Response({"error": code, "message": str(error.detail)}, error.status_code)
        case OperationalError() | InterfaceError():
            log.error("the database is away: %s", error)
            return Response(
                {"error": "unavailable", "message": "The database is away; try again soon."},
                503,
                headers={"Retry-After": "5"},
            )
    log.exception("unforeseen", exc_info=error)
    return Response({"error": "internal", "message": "Something went wrong on our side."}, 500)


def _flatten(detail: Any) -> dict[str, Any]:
    """`message` names the first field at fault in words, `details` all of them, nested as they were sent."""
    if isinstance(detail, list):
        detail = {"body": detail}
    path, node = [], detail
    while isinstance(node, dict):
        name, node = next((key, value) for key, value in node.items() if value)
        path.append(str(name))
        if isinstance(node, list):
            node = next((item for item in node if item), "")
    where = ".".join(part for part in path if part not in {"non_field_errors", "body"})
    return {"message": f"{where}: {node}" if where else str(node), "details": detail}


def _shape(response: Response, request: Request | HttpRequest) -> dict[str, Any]:
    body = dict(response.data or {})
    return {
        "error": body["error"],
        "message": body["message"],
        "details": body.get("details", {}),
        "timestamp": moment(timezone.now()),
        "request_id": getattr(request, "request_id", None),
    }


def _add_header(response: Response, name: str, value: Any) -> None:
    if value is not None:
        response[{"auth_header": "WWW-Authenticate", "wait": "Retry-After"}[name]] = (
            value if name == "auth_header" else str(math.ceil(value))
        )


def error_page(code: str, message: str, status_code: int) -> Callable[..., HttpResponse]:
    """A Django error view (no route, a failed middleware) that answers in the API's shape."""

    def view(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        body = Response({"error": code, "message": message})
        return JsonResponse(_shape(body, request), status=status_code)

    return view
