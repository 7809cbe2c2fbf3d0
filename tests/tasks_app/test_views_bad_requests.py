"""Requests that are no good: always the one shape, never HTML, never a 500."""

import json
import logging
from typing import Any

import pytest
from rest_framework.test import APIClient

from tasks_app.models import Project, Task
from tests.conftest import client_for

pytestmark = pytest.mark.django_db

SUBMIT = "/api/v1/tasks/submit"
GOOD: dict[str, Any] = {"project_id": "noir", "task_type": "image_generation", "task_data": {"prompt": "a red door"}}


@pytest.fixture
def caller() -> APIClient:
    return client_for()


def send(caller: APIClient, body: bytes | str, content_type: str = "application/json") -> Any:
    return caller.generic("POST", SUBMIT, body, content_type=content_type)


def is_refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"] == "application/json; charset=utf-8"
    body: dict[str, Any] = json.loads(response.content)
    assert list(body) == ["error", "message", "details", "timestamp", "request_id"]
    assert body["error"] == code
    assert body["request_id"] == response["X-Request-ID"]
    assert not Task.objects.exists()
    assert not Project.objects.exists()
    return body


def with_value(text: str) -> str:
    """A good submission with this JSON as a value in its metadata."""
    return json.dumps({**GOOD, "metadata": {"x": "HERE"}}).replace('"HERE"', text)


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "{", "nonsense", "a=1&b=2", "<a/>", "\ufeff{}", "null", "[]", "[{}]", '"submit"', "7", "true", "{}",
        *map(with_value, ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(2**64), str(-(2**63) - 1), "9" * 5000,
                          r'"\u0000"', r'"\ud800"', r'{"\u0000": 1}', r'"\udc00\ud800"', "01", "'a'", "", '"\n"']),
        b"\xff\xfe", b'{"project_id": "\xe9"}', json.dumps(GOOD).encode("utf-16"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_good_json_object_is_invalid(body: bytes | str, caller: APIClient) -> None:
    assert is_refused(send(caller, body), 400, "validation_error")["message"]


@pytest.mark.parametrize("text", ["[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40, "[" * 200_000])
def test_a_body_nested_too_deep_is_too_large(text: str, caller: APIClient) -> None:
    is_refused(send(caller, with_value(text)), 413, "payload_too_large")


def test_a_body_beyond_the_limit_is_too_large(caller: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    is_refused(send(caller, with_value(json.dumps("a" * 1000))), 413, "payload_too_large")
    assert send(caller, json.dumps(GOOD)).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
        "nonsense",
    ],
)
def test_any_other_type_of_body_is_not_supported(content_type: str, caller: APIClient) -> None:
    is_refused(send(caller, "project_id=noir", content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", SUBMIT),
        ("put", SUBMIT),
        ("patch", SUBMIT),
        ("delete", SUBMIT),
        ("post", "/api/v1/tasks/0193b5c4-7a1e-7c3f-8d2a-000000000001/status"),
        ("get", "/api/v1/tasks/0193b5c4-7a1e-7c3f-8d2a-000000000001/cancel"),
        ("get", "/api/v1/tasks/0193b5c4-7a1e-7c3f-8d2a-000000000001/retry"),
        ("delete", "/api/v1/projects/noir/tasks"),
        ("post", "/api/v1/workers/status"),
        ("put", "/api/v1/media/0193b5c4-7a1e-7c3f-8d2a-000000000001/content"),
    ],
)
def test_another_method_is_not_allowed_and_the_right_ones_are_named(method: str, path: str, caller: APIClient) -> None:
    response = getattr(caller, method)(path)
    is_refused(response, 405, "method_not_allowed")
    assert response["Allow"]


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "image/png", "text/html,*/*;q=0.1", "nonsense"])
def test_whatever_a_caller_would_rather_read_it_gets_json(accept: str, caller: APIClient) -> None:
    response = caller.get("/api/v1/workers/status", headers={"Accept": accept})
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.status_code in {200, 406}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("project_id", "a b", "project_id"),
        ("project_id", "active", "project_id"),
        ("project_id", "noir\n", "project_id"),
        ("task_type", "hologram", "task_type"),
        ("priority", 0, "priority"),
        ("priority", "1", "priority"),
        ("callback_url", "ftp://movie.example", "callback_url"),
        ("metadata", [], "metadata"),
        ("task_data", [], "task_data"),
        ("task_data", {}, "task_data.prompt"),
        ("task_data", {"prompt": "a", "resolution": "10x"}, "task_data.resolution"),
        ("task_data", {"prompt": "a", "model": "unknown"}, "task_data.model"),
        ("task_data", {"prompt": "a", "width": 64}, "task_data.height"),
        ("task_data", {"prompt": "a", "seed": True}, "task_data.seed"),
    ],
)
def test_a_bad_field_is_named(field: str, value: Any, named: str, caller: APIClient) -> None:
    body = is_refused(caller.post(SUBMIT, {**GOOD, field: value}, format="json"), 400, "validation_error")
    assert body["message"].startswith(f"{named}: ")
    assert list(body["details"]) == [field]


def test_a_bad_duration_is_named(caller: APIClient) -> None:
    for duration in (0, 3600, "7"):
        film = {**GOOD, "task_type": "video_generation", "task_data": {"prompt": "a", "duration": duration}}
        body = is_refused(caller.post(SUBMIT, film, format="json"), 400, "validation_error")
        assert body["message"].startswith("task_data.duration: ")


def test_keys_that_nobody_knows_are_let_pass_at_the_top(caller: APIClient) -> None:
    assert caller.post(SUBMIT, {**GOOD, "shot_of_the_day": 7}, format="json").status_code == 201


@pytest.mark.parametrize(
    ("name", "value"), [("progress", 5), ("progress", 0.5), ("status", "completed"), ("task_id", "1")]
)
def test_what_the_service_alone_sets_is_refused_by_name(name: str, value: Any, caller: APIClient) -> None:
    answer = caller.post(SUBMIT, {**GOOD, name: value}, format="json")
    assert answer.status_code == 400
    assert answer.json()["details"] == {name: ["is set by the service alone"]}


def test_a_bad_request_is_no_news_for_the_operators(caller: APIClient, caplog: Any) -> None:
    send(caller, "{")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_awkward_but_good_values_are_stored_and_come_back_as_they_were(caller: APIClient) -> None:
    metadata = {
        "": "", "雨": "🎬", "quote": "'\"\\", "big": 2**63 - 1, "small": -(2**63), "tiny": 1e-9, "html": "</script><b>",
        "line": "a\u2028b", "control": "\u0001\x7f", "list": [[], {}, None, False, 0.1],
    }  # fmt: skip
    response = caller.post(SUBMIT, {**GOOD, "metadata": metadata}, format="json")
    assert response.status_code == 201
    assert caller.get(f"/api/v1/tasks/{response.json()['task_id']}").json()["metadata"] == metadata
