"""The live record of a running attempt."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from redis import Redis

from tasks_app import lifecycle, progress
from tasks_app.models import Attempt, Task

pytestmark = pytest.mark.django_db(transaction=True)


def say(attempt: Attempt, fraction: float, phase: str, done: int = 0, total: int = 4) -> dict[str, Any]:
    """What a worker does at each step; the record as it is then."""
    task = lifecycle.advance(attempt, fraction, f"{phase} {done}/{total}")
    progress.write(task, phase=phase, done=done, total=total)
    record = progress.read(attempt.task_id)
    assert record
    return record


def test_the_record_has_exactly_the_attributes_of_the_data_model(claim_task: Any, store: Redis) -> None:
    attempt = claim_task()
    record = say(attempt, 0.5, "denoising", 2)
    assert json.loads(store.get(f"progress:{attempt.task_id}")) == record
    assert set(record) == {
        "task_id", "progress_percentage", "current_step", "step_start_time", "estimated_remaining", "detailed_status",
    }  # fmt: skip
    assert (record["task_id"], record["progress_percentage"]) == (str(attempt.task_id), 0.5)
    assert record["current_step"] == "denoising 2/4"
    assert record["step_start_time"].endswith("Z")
    assert isinstance(record["estimated_remaining"], int)
    assert {"phase": "denoising", "done": 2, "total": 4}.items() <= record["detailed_status"].items()


def test_the_record_never_goes_back(claim_task: Any) -> None:
    attempt = claim_task()
    say(attempt, 0.6, "denoising")
    assert say(attempt, 0.2, "decoding")["progress_percentage"] == 0.6


def test_a_step_began_when_its_phase_did(claim_task: Any) -> None:
    attempt = claim_task()
    first = say(attempt, 0.1, "denoising", 1)["step_start_time"]
    assert say(attempt, 0.2, "denoising", 2)["step_start_time"] == first
    assert say(attempt, 0.9, "decoding")["step_start_time"] > first


def test_another_attempt_begins_its_steps_anew(claim_task: Any) -> None:
    attempt = claim_task()
    first = say(attempt, 0.1, "denoising")["step_start_time"]
    lifecycle.release(attempt)
    again = lifecycle.claim("worker-2", ["gpu_medium"])
    assert again
    assert say(again, 0.1, "denoising")["step_start_time"] > first


def test_a_record_lives_for_an_hour_after_its_last_word(claim_task: Any, store: Redis) -> None:
    attempt = claim_task()
    key = f"progress:{attempt.task_id}"
    say(attempt, 0.1, "denoising")
    assert 3590 < store.ttl(key) <= 3600
    store.expire(key, 10)
    progress.keep(attempt.task_id)
    assert 3590 < store.ttl(key) <= 3600


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_a_record_lives_for_an_hour_after_the_end(end: str, claim_task: Any, store: Redis) -> None:
    attempt = claim_task()
    say(attempt, 0.5, "denoising")
    store.expire(f"progress:{attempt.task_id}", 10)
    if end == "complete":
        lifecycle.complete(attempt, lambda task: {})
    elif end == "fail":
        lifecycle.fail(attempt, "internal", "It broke.")
    else:
        lifecycle.cancel(attempt.task)
    assert 3590 < store.ttl(f"progress:{attempt.task_id}") <= 3600


def test_where_there_is_no_record_none_is_read_and_none_is_made(make_task: Any, store: Redis) -> None:
    task = make_task()
    progress.keep(task.pk)
    assert progress.read(task.pk) is None
    assert not store.keys("progress:*")


def test_what_remains_follows_from_the_pace(claim_task: Any) -> None:
    attempt = claim_task()
    Task.objects.update(started_at=timezone.now() - timedelta(seconds=60))
    assert 178 <= say(attempt, 0.25, "denoising")["estimated_remaining"] <= 182


def test_without_redis_there_is_no_record_and_no_harm(claim_task: Any, stopped_redis: None) -> None:
    attempt = claim_task()
    task = lifecycle.advance(attempt, 0.5, "denoising 2/4")
    begun = time.monotonic()
    progress.write(task, phase="denoising", done=2, total=4)
    progress.keep(task.pk)
    assert progress.read(task.pk) is None
    assert time.monotonic() - begun < 1.0
    assert Task.objects.get().progress == 0.5
