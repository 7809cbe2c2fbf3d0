"""Who may ask: keys, what they reach, and that what is out of reach does not exist."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app import lifecycle
from tasks_app.models import ApiKey, Project, Task
from tasks_app.serializers import Submission
from tests.conftest import client_for

pytestmark = pytest.mark.django_db(transaction=True)

SOME_ID = "0193b5c4-7a1e-7c3f-8d2a-000000000001"
BODY = {"project_id": "noir", "task_type": "image_generation", "task_data": {"prompt": "a red door"}}

ROUTES = [
    ("post", "/api/v1/tasks/submit"),
    ("get", f"/api/v1/tasks/{SOME_ID}"),
    ("get", f"/api/v1/tasks/{SOME_ID}/status"),
    ("post", f"/api/v1/tasks/{SOME_ID}/cancel"),
    ("delete", f"/api/v1/tasks/{SOME_ID}/cancel"),
    ("post", f"/api/v1/tasks/{SOME_ID}/retry"),
    ("get", "/api/v1/projects/noir/tasks"),
    ("get", f"/api/v1/media/{SOME_ID}/content"),
    ("get", "/api/v1/workers/status"),
]


def refused_for_want_of_a_key(client: APIClient, method: str, path: str) -> None:
    response = getattr(client, method)(path, BODY if method == "post" else None, format="json")
    assert response.status_code == 401
    assert response["WWW-Authenticate"]
    assert list(response.json()) == ["error", "message", "details", "timestamp", "request_id"]
    assert response.json()["error"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_without_a_key(method: str, path: str, anyone: APIClient) -> None:
    refused_for_want_of_a_key(anyone, method, path)
    assert not Task.objects.exists()


def wrong(key: ApiKey, secret: str) -> str:
    return f"{secret}x"


def digest(key: ApiKey, secret: str) -> str:
    return key.digest


def empty(key: ApiKey, secret: str) -> str:
    return ""


def expired(key: ApiKey, secret: str) -> str:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return secret


def revoked(key: ApiKey, secret: str) -> str:
    ApiKey.objects.update(revoked_at=timezone.now())
    return secret


def strange(key: ApiKey, secret: str) -> str:
    return "é\x7f' OR 1=1 --"


@pytest.mark.parametrize("spoil", [wrong, digest, empty, expired, revoked, strange])
def test_a_bad_key_is_as_good_as_none(spoil: Callable[[ApiKey, str], str], anyone: APIClient) -> None:
    key, secret = ApiKey.issue("test")
    anyone.credentials(HTTP_X_API_KEY=spoil(key, secret))
    for method, path in ROUTES[:2]:
        refused_for_want_of_a_key(anyone, method, path)


def test_a_key_works_until_it_expires(anyone: APIClient) -> None:
    _, secret = ApiKey.issue("test")
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    anyone.credentials(HTTP_X_API_KEY=secret)
    assert anyone.post("/api/v1/tasks/submit", BODY, format="json").status_code == 201


def test_a_key_in_the_address_opens_nothing(anyone: APIClient) -> None:
    _, secret = ApiKey.issue("test")
    assert anyone.get(f"/api/v1/workers/status?api_key={secret}&X-API-Key={secret}").status_code == 401


def test_a_key_for_all_projects_makes_an_unknown_one_on_first_use(api: APIClient) -> None:
    assert api.post("/api/v1/tasks/submit", BODY, format="json").status_code == 201
    assert Project.objects.get().project_id == "noir"


def test_a_bound_key_submits_to_its_own_projects_alone(transactional_db: None) -> None:
    Project.objects.create(project_id="foreign")
    client = client_for("mine", "mine-too")
    for project_id, status in [("mine", 201), ("mine-too", 201), ("foreign", 404), ("unknown", 404)]:
        response = client.post("/api/v1/tasks/submit", {**BODY, "project_id": project_id}, format="json")
        assert response.status_code == status
    assert not Project.objects.filter(pk="unknown").exists()
    assert Task.objects.count() == 2


def test_a_bound_key_that_lost_its_last_project_reaches_none(transactional_db: None) -> None:
    client = client_for("mine")
    ApiKey.objects.get().projects.clear()
    assert client.post("/api/v1/tasks/submit", {**BODY, "project_id": "mine"}, format="json").status_code == 404
    assert client.get("/api/v1/projects/mine/tasks").status_code == 404


def same_but_for_the_moment(response: Any) -> bytes:
    """The whole answer, with its time and request id cut out."""
    body = json.loads(response.content)
    text = response.content.decode()
    for name in ("timestamp", "request_id"):
        text = text.replace(body[name], "")
    headers = sorted(f"{k}: {v}" for k, v in response.headers.items() if k != "X-Request-ID")
    return f"{response.status_code} {headers} {text}".encode()


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path in ROUTES if SOME_ID in path and "media" not in path]
)
def test_anothers_task_cannot_be_told_from_an_unknown_one(method: str, path: str, transactional_db: None) -> None:
    foreign = lifecycle.submit(Submission(project_id="foreign", task_type="image_generation", task_data=BODY))
    client = client_for("mine")
    answers = {
        same_but_for_the_moment(getattr(client, method)(path.replace(SOME_ID, str(task_id))))
        for task_id in (foreign.task_id, uuid.uuid4(), SOME_ID)
    }
    assert len(answers) == 1
    assert answers.pop().startswith(b"404 ")
    foreign.refresh_from_db()
    assert foreign.status == "queued"


def test_anothers_project_cannot_be_told_from_an_unknown_one(transactional_db: None) -> None:
    Project.objects.create(project_id="foreign")
    client = client_for("mine")
    answers = {same_but_for_the_moment(client.get(f"/api/v1/projects/{name}/tasks")) for name in ("foreign", "unknown")}
    answers |= {
        same_but_for_the_moment(client.get(f"/api/v1/projects/{name}/tasks?status=nonsense"))
        for name in ("foreign", "unknown")
    }
    assert len(answers) == 1
    refused = {
        same_but_for_the_moment(client.post("/api/v1/tasks/submit", {**BODY, "project_id": name}, format="json"))
        for name in ("foreign", "unknown")
    }
    assert len(refused) == 1


@pytest.mark.parametrize(
    "task_id",
    ["1", "submitted", "0193b5c4-7a1e-7c3f-8d2a-00000000000", "0193b5c4-7a1e-7c3f-8d2a-00000000000g", "%00", "a%00b",
     "{0193b5c4-7a1e-7c3f-8d2a-000000000001}", "urn:uuid:0193b5c4-7a1e-7c3f-8d2a-000000000001", "%EF%BC%91" * 32,
     "0193b5c47a1e7c3f8d2a000000000001", "0193b5c4_7a1e_7c3f_8d2a_0000_000_0_0_0", "%F0%9F%8E%AC", "a" * 5000,
     "0193b5c4-7a1e-7c3f-8d2a-000000000001%0A", "%20"],
)  # fmt: skip
@pytest.mark.parametrize("tail", ["", "/status", "/retry", "/cancel"])
def test_a_malformed_task_id_is_invalid_input(task_id: str, tail: str, api: APIClient) -> None:
    method = api.post if tail in {"/retry", "/cancel"} else api.get
    response = method(f"/api/v1/tasks/{task_id}{tail}")
    assert response.status_code == 400
    assert response.json()["details"] == {"task_id": ["must be a UUID"]}


@pytest.mark.parametrize("task_id", [SOME_ID, SOME_ID.upper()])
def test_a_task_id_is_a_uuid_in_either_case(task_id: str, api: APIClient) -> None:
    assert api.get(f"/api/v1/tasks/{task_id}").status_code == 404


@pytest.mark.parametrize("project_id", ["a%00b", "%00", "a%20b", "noir%0A", "x" * 65, "%E9%9B%A8", "x" * 5000, "a.b"])
def test_a_malformed_project_id_names_no_project(project_id: str, api: APIClient) -> None:
    response = api.get(f"/api/v1/projects/{project_id}/tasks")
    assert response.status_code == 404
    assert response.json()["error"] == "not_found"


def test_one_key_costs_one_query(api: APIClient, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(1, connection=connection):
        api.get("/api/v1/tasks/malformed")


def test_a_key_for_no_project_reaches_none(transactional_db: None) -> None:
    key, _ = ApiKey.issue("nobody", projects=[])
    assert not key.all_projects
    assert not Project.objects.filter(api_keys=key).exists()
