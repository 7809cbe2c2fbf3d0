"""What the database itself refuses of a worker, and when a worker counts as offline."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from workers_app.models import Worker

pytestmark = pytest.mark.django_db


def put(**fields: Any) -> Worker:
    now = timezone.now()
    row = {"worker_id": "gpu_heavy@here-1", "worker_type": "gpu_heavy", "started_at": now, "last_heartbeat": now}
    return Worker.objects.bulk_create([Worker(**{**row, **fields})])[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"worker_type": "gpu_medium"},
        {"worker_type": "cpu_intensive", "state": "idle"},
        {"state": "busy", "current_task_id": uuid.uuid4(), "gpu_utilization": 1.0},
        {"state": "offline", "memory_usage": 2**40, "gpu_memory": 141 * 2**30},
    ],
)
def test_a_good_worker_passes(fields: dict[str, Any]) -> None:
    put(**fields)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"worker_type": "deliveries"}, "worker_type_known"),
        ({"worker_type": ""}, "worker_type_known"),
        ({"state": "asleep"}, "worker_state_known"),
        ({"gpu_utilization": -0.1}, "worker_gpu_utilization_0_to_1"),
        ({"gpu_utilization": 1.1}, "worker_gpu_utilization_0_to_1"),
        ({"gpu_utilization": 97.0}, "worker_gpu_utilization_0_to_1"),
        ({"state": "busy"}, "worker_current_task_when_busy"),
        ({"state": "idle", "current_task_id": uuid.uuid4()}, "worker_current_task_when_busy"),
    ],
)
def test_a_worker_out_of_the_rules_is_refused(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        put(**fields)


def test_a_worker_id_is_there_once() -> None:
    put()
    with pytest.raises(IntegrityError):
        put()


def test_a_worker_is_offline_after_20_seconds_without_a_beat() -> None:
    heard = put(state="idle", last_heartbeat=timezone.now() - timedelta(seconds=19))
    silent = put(worker_id="silent", state="idle", last_heartbeat=timezone.now() - timedelta(seconds=21))
    assert (heard.status, silent.status) == ("idle", "offline")
    assert list(Worker.objects.alive()) == [heard]


def test_a_worker_that_said_goodbye_is_offline_at_once() -> None:
    assert put(state="offline").status == "offline"
    assert not Worker.objects.alive().exists()
