"""One shape for every error."""

import json
import re
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions, serializers

from aimovie.api.parsing import PayloadTooLarge
from aimovie.api.problems import exception_handler
from aimovie.errors import DomainError


def answer(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    request = RequestFactory().get("/api/v1/tasks/submit")
    request.request_id = "the-request"  # type: ignore[attr-defined]
    response = exception_handler(error, {"request": request})
    return response.status_code, response.data, dict(response.headers)


CASES = [
    (serializers.ValidationError({"priority": ["must be 1, 2 or 3"]}), 400, "validation_error"),
    (exceptions.ParseError("The body is not JSON."), 400, "validation_error"),
    (exceptions.NotAuthenticated(), 401, "unauthorized"),
    (exceptions.AuthenticationFailed(), 401, "unauthorized"),
    (exceptions.PermissionDenied(), 403, "forbidden"),
    (Http404(), 404, "not_found"),
    (exceptions.NotFound(), 404, "not_found"),
    (exceptions.MethodNotAllowed("GET"), 405, "method_not_allowed"),
    (exceptions.NotAcceptable(), 406, "not_acceptable"),
    (DomainError("Cannot retry a task that is queued.", status="queued"), 409, "conflict"),
    (PayloadTooLarge(), 413, "payload_too_large"),
    (RequestDataTooBig("Too big."), 413, "payload_too_large"),
    (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
    (exceptions.Throttled(7.2), 429, "rate_limited"),
    (OperationalError("connection refused"), 503, "unavailable"),
    (InterfaceError("connection already closed"), 503, "unavailable"),
    (KeyError("secret detail"), 500, "internal"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES)
def test_every_error_has_the_one_shape_and_a_stable_code(error: Exception, status: int, code: str) -> None:
    answered, body, _ = answer(error)
    assert (answered, body["error"], body["request_id"]) == (status, code, "the-request")
    assert list(body) == ["error", "message", "details", "timestamp", "request_id"]
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body["details"], dict)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["timestamp"])
    json.dumps(body)


def test_what_nobody_foresaw_is_logged_whole_and_answered_without_a_trace(caplog: Any) -> None:
    _, body, _ = answer(KeyError("secret detail"))
    assert "secret" not in json.dumps(body)
    assert "secret detail" in caplog.text


def test_a_database_that_is_away_says_when_to_come_again_and_nothing_of_itself() -> None:
    _, body, headers = answer(OperationalError("could not connect to 10.0.0.7 as aimovie"))
    assert int(headers["Retry-After"]) > 0
    assert "10.0.0.7" not in json.dumps(body)


def test_too_many_requests_say_when_to_come_again_in_whole_seconds() -> None:
    assert answer(exceptions.Throttled(7.2))[2]["Retry-After"] == "8"


def test_a_conflict_carries_its_details() -> None:
    assert answer(DomainError("No.", status="queued", allowed=["failed"]))[1]["details"] == {
        "status": "queued",
        "allowed": ["failed"],
    }


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ({"priority": ["must be 1, 2 or 3"]}, "priority: must be 1, 2 or 3"),
        ({"task_data": {"resolution": ["too large"]}}, "task_data.resolution: too large"),
        ({"task_data": {"storyboard_images": {1: ["no picture"]}}}, "task_data.storyboard_images.1: no picture"),
        ({"tasks": [{}, {"priority": ["must be 1, 2 or 3"]}]}, "tasks.priority: must be 1, 2 or 3"),
        ({"non_field_errors": ["No data provided"]}, "No data provided"),
        ({"a": ["first", "second"], "b": ["third"]}, "a: first"),
    ],
)
def test_the_message_names_the_first_fault_and_the_details_all(detail: dict[str, Any], message: str) -> None:
    body = answer(serializers.ValidationError(detail))[1]
    assert body["message"] == message
    assert set(body["details"]) == set(detail)


def test_an_error_of_the_body_as_a_whole_is_an_object_too() -> None:
    body = answer(serializers.ValidationError(["must be an object"]))[1]
    assert body["message"] == "must be an object"
    assert isinstance(body["details"], dict)


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1", "/api/v2/tasks/submit", "/nothing", "/api/v1/tasks/a/b/c"]
)
def test_an_address_that_is_not_there_is_answered_in_the_same_shape(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 404
    assert response["Content-Type"].startswith("application/json")
    body = response.json()
    assert list(body) == ["error", "message", "details", "timestamp", "request_id"]
    assert body["request_id"] == response["X-Request-ID"]


def test_a_host_that_is_not_ours_is_answered_in_the_same_shape() -> None:
    response = Client().get("/api/v1/health/live", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert response.json()["error"] == "validation_error"
