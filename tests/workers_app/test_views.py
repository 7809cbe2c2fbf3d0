"""Workers over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.conftest import client_for
from workers_app.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)

ATTRIBUTES = {
    "worker_id", "worker_type", "status", "current_task_id", "gpu_utilization", "memory_usage", "tasks_completed",
    "last_heartbeat", "warm_models",
}  # fmt: skip


def put(worker_id: str, **fields: Any) -> None:
    now = timezone.now()
    row = {"worker_type": "gpu_heavy", "state": "idle", "started_at": now, "last_heartbeat": now}
    Worker.objects.create(worker_id=worker_id, **{**row, **fields})


def status(client: APIClient) -> dict[str, Any]:
    response = client.get("/api/v1/workers/status")
    assert response.status_code == 200
    return response.json()  # type: ignore[no-any-return]


def test_without_workers_there_is_nothing_to_show(api: APIClient) -> None:
    assert status(api) == {"workers": [], "total_workers": 0, "active_workers": 0, "gpu_utilization": 0.0}


def test_every_worker_is_shown_with_its_attributes_and_counted(api: APIClient) -> None:
    put("a", gpu_utilization=0.5, memory_usage=2**31, tasks_completed=7, warm_models=["stand-in-image"])
    put("b", gpu_utilization=1.0)
    put("silent", gpu_utilization=1.0, last_heartbeat=timezone.now() - timedelta(seconds=30))
    body = status(api)
    assert (body["total_workers"], body["active_workers"], body["gpu_utilization"]) == (3, 2, 0.75)
    assert [(worker["worker_id"], worker["status"]) for worker in body["workers"]] == [
        ("a", "idle"),
        ("b", "idle"),
        ("silent", "offline"),
    ]
    first = body["workers"][0]
    assert set(first) >= ATTRIBUTES
    assert (first["memory_usage"], first["tasks_completed"], first["warm_models"]) == (2**31, 7, ["stand-in-image"])
    assert first["last_heartbeat"].endswith("Z")


def test_a_key_sees_the_task_of_a_worker_only_where_it_reaches_the_project(claim_task: Any) -> None:
    mine, foreign = (claim_task(f"worker-{name}", project_id=name) for name in ("mine", "foreign"))
    for attempt in (mine, foreign):
        put(attempt.worker_id, state="busy", current_task_id=attempt.task_id)

    def shown(client: APIClient) -> dict[str, Any]:
        return {
            worker["worker_id"]: (worker["status"], worker["current_task_id"]) for worker in status(client)["workers"]
        }

    assert shown(client_for("mine")) == {
        "worker-mine": ("busy", str(mine.task_id)),
        "worker-foreign": ("busy", None),
    }
    assert shown(client_for())["worker-foreign"] == ("busy", str(foreign.task_id))
