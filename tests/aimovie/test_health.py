"""Whether the service and each of its parts answer."""

from typing import Any

import pytest
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient

from workers_app.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(transactional_db: None) -> Worker:
    now = timezone.now()
    return Worker.objects.create(
        worker_id="w", worker_type="gpu_heavy", state="idle", started_at=now, last_heartbeat=now
    )


def health(client: APIClient) -> dict[str, Any]:
    response = client.get("/api/v1/health")
    assert response.status_code == 200
    return response.json()  # type: ignore[no-any-return]


def failing(body: dict[str, Any]) -> set[str]:
    return {name for name, state in body["checks"].items() if state == "failing"}


def test_with_every_part_at_work_the_service_is_healthy(anyone: APIClient, worker: Worker) -> None:
    body = health(anyone)
    assert list(body) == ["status", "timestamp", "checks"]
    assert body["status"] == "healthy"
    assert body["timestamp"].endswith("Z")
    assert body["checks"] == {
        "database": "ok",
        "redis": "ok",
        "broker": "ok",
        "storage": "ok",
        "workers": "ok",
        "payload": "unconfigured",
    }


def test_without_a_live_worker_it_is_degraded(anyone: APIClient, worker: Worker) -> None:
    Worker.objects.update(state="offline")
    body = health(anyone)
    assert (body["status"], failing(body)) == ("degraded", {"workers"})


def test_without_redis_it_is_degraded_and_that_is_no_error(
    anyone: APIClient, worker: Worker, stopped_redis: None
) -> None:
    body = health(anyone)
    assert (body["status"], failing(body)) == ("degraded", {"redis", "broker"})


def test_it_tells_a_stranger_nothing_about_the_inside(anyone: APIClient, worker: Worker, stopped_redis: None) -> None:
    assert set(health(anyone)["checks"].values()) <= {"ok", "failing", "unconfigured"}


@pytest.mark.parametrize(("path", "status"), [("live", "live"), ("ready", "ready")])
def test_an_orchestrator_needs_no_key(path: str, status: str, anyone: APIClient) -> None:
    response = anyone.get(f"/api/v1/health/{path}")
    assert (response.status_code, response.json()) == (200, {"status": status})


def test_it_is_ready_without_redis_because_the_database_is_the_truth(anyone: APIClient, stopped_redis: None) -> None:
    assert anyone.get("/api/v1/health/ready").status_code == 200


@pytest.mark.parametrize("path", ["health", "health/live", "health/ready"])
def test_a_wrong_key_does_no_harm_and_a_wrong_method_is_refused(path: str, anyone: APIClient, store: Redis) -> None:
    anyone.credentials(HTTP_X_API_KEY="wrong")
    assert anyone.get(f"/api/v1/{path}").status_code == 200
    response = anyone.post(f"/api/v1/{path}")
    assert (response.status_code, response.json()["error"]) == (405, "method_not_allowed")
