"""What any live worker does for all."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from redis import Redis

from tasks_app import lifecycle
from tasks_app.models import Attempt, Task
from workers_app import heartbeat, upkeep
from workers_app.models import Worker


def run_out() -> None:
    Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))


def test_a_task_whose_lease_ran_out_goes_back_in_line_with_a_record(claim_task: Any) -> None:
    attempt = claim_task()
    run_out()
    assert upkeep.rescue() == 1
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.error_code) == ("lost", "worker_lost")
    assert attempt.execution.status == "FAILURE"
    assert Task.objects.get().status == "queued"
    assert upkeep.rescue() == 0


def test_a_believed_worker_keeps_its_task(claim_task: Any) -> None:
    claim_task()
    assert upkeep.rescue() == 0
    assert Task.objects.get().status == "processing"


def test_nothing_is_rescued_until_the_database_was_up_for_a_whole_lease(claim_task: Any, settings: Any) -> None:
    claim_task()
    run_out()
    keeper = upkeep.Upkeep()
    keeper.round()
    assert Task.objects.get().status == "processing"
    keeper.up_since -= settings.LEASE.total_seconds() + 1
    keeper.was_away()
    keeper.round()
    assert Task.objects.get().status == "processing"
    keeper.up_since -= settings.LEASE.total_seconds() + 1
    keeper.round()
    assert Task.objects.get().status == "queued"


def test_a_machine_that_slept_rescues_nothing_until_the_living_could_say_so(claim_task: Any, settings: Any) -> None:
    claim_task()
    run_out()
    keeper = upkeep.Upkeep()
    keeper.up_since -= settings.LEASE.total_seconds() + 1
    keeper.last_round -= settings.LEASE.total_seconds() + 1
    keeper.round()
    assert Task.objects.get().status == "processing"


def test_a_worker_believed_again_keeps_its_task(claim_task: Any) -> None:
    """Its lease ran out when the list was read, and was renewed before the rescue."""
    attempt = claim_task()
    with pytest.raises(lifecycle.Refused):
        lifecycle.rescue(attempt)
    assert Task.objects.get().status == "processing"


def test_a_line_whose_bell_was_lost_is_rung_again(make_task: Any, store: Redis) -> None:
    make_task()
    store.delete("celery:queue:gpu_medium")
    upkeep.ring()
    assert store.llen("celery:queue:gpu_medium") == 1


def test_a_flushed_mirror_is_written_again(make_task: Any, store: Redis) -> None:
    task = make_task()
    upkeep.Upkeep().round()
    store.flushall()
    upkeep.Upkeep().round()
    assert store.exists(f"tasks:{task.pk}", "projects:noir", "projects:active", "tasks:by_status:queued") == 4


def test_workers_long_silent_are_forgotten_and_expired_ones_leave_the_set(
    transactional_db: None, store: Redis, settings: Any
) -> None:
    now = timezone.now()
    old = now - timedelta(days=settings.WORKER_ROWS_DAYS + 1)
    Worker.objects.create(worker_id="old", worker_type="gpu_heavy", started_at=old, last_heartbeat=old)
    new = Worker.objects.create(worker_id="new", worker_type="gpu_heavy", started_at=now, last_heartbeat=now)
    heartbeat.idle(new)
    store.sadd("workers:active", "old")
    assert heartbeat.prune() == 1
    assert Worker.objects.get() == new
    assert store.smembers("workers:active") == {"new"}
