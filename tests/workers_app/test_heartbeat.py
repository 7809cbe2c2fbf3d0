"""Beats, leases, and what Redis shows of a worker."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from redis import Redis

from tasks_app import lifecycle, progress
from tasks_app.models import Attempt
from workers_app import heartbeat
from workers_app.models import Worker


@pytest.fixture
def worker(transactional_db: None) -> Worker:
    now = timezone.now()
    return Worker.objects.create(
        worker_id="gpu_medium@here-1", worker_type="gpu_medium", started_at=now, last_heartbeat=now
    )


def test_a_beat_says_that_the_worker_lives_and_what_is_warm(worker: Worker, store: Redis) -> None:
    Worker.objects.update(last_heartbeat=timezone.now() - timedelta(seconds=30))
    assert Worker.objects.get().status == "offline"
    heartbeat.beat(worker, None, ("stand-in-image",))
    row = Worker.objects.get()
    assert row.status == "active"
    assert row.warm_models == ["stand-in-image"]
    assert row.memory_usage > 10_000_000
    copy = json.loads(store.get("workers:gpu_medium@here-1"))
    expected = {
        "worker_id",
        "worker_type",
        "status",
        "current_task_id",
        "gpu_utilization",
        "memory_usage",
        "tasks_completed",
        "last_heartbeat",
    }
    assert expected <= copy.keys()
    assert 295 < store.ttl("workers:gpu_medium@here-1") <= 300
    assert store.smembers("workers:active") == {"gpu_medium@here-1"}


def test_a_beat_renews_the_lease_of_what_runs_and_of_nothing_else(worker: Worker, claim_task: Any) -> None:
    running, leaked = claim_task("gpu_medium@here-1"), claim_task("gpu_medium@there-2")
    Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))
    heartbeat.beat(worker, running, ())
    assert Attempt.objects.expired().get() == leaked


def test_a_beat_cannot_renew_what_was_taken_away(worker: Worker, claim_task: Any) -> None:
    attempt = claim_task("gpu_medium@here-1")
    Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))
    lifecycle.rescue(attempt)
    before = Attempt.objects.get().lease_until
    heartbeat.beat(worker, attempt, ())
    assert Attempt.objects.get().lease_until == before


def test_a_beat_keeps_the_progress_of_a_long_silent_step_alive(worker: Worker, claim_task: Any, store: Redis) -> None:
    attempt = claim_task("gpu_medium@here-1")
    progress.write(attempt.task, phase="loading", done=0, total=1)
    heartbeat.busy(worker, attempt)
    store.expire(f"progress:{attempt.task_id}", 5)
    heartbeat.beat(worker, attempt, ())
    assert store.ttl(f"progress:{attempt.task_id}") > 3500


def test_the_states_of_a_working_day(worker: Worker, claim_task: Any, store: Redis) -> None:
    attempt = claim_task("gpu_medium@here-1")
    heartbeat.busy(worker, attempt)
    assert (Worker.objects.get().status, Worker.objects.get().current_task_id) == ("busy", attempt.task_id)
    heartbeat.idle(worker, completed=1)
    assert (
        Worker.objects.get().status,
        Worker.objects.get().current_task_id,
        Worker.objects.get().tasks_completed,
    ) == ("idle", None, 1)
    heartbeat.gone(worker)
    assert Worker.objects.get().status == "offline"
    assert not store.exists("workers:gpu_medium@here-1", "workers:active")
