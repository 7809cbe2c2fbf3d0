"""The waiting lines: who stands where, and the bell."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from redis import Redis

from aimovie import redis
from tasks_app import lifecycle, queues
from tasks_app.models import Attempt, Task
from tests import environment

pytestmark = pytest.mark.django_db(transaction=True)

BELLS = "celery:queue:gpu_medium"


def place(task: Task) -> queues.Place | None:
    return queues.place(Task.objects.get(pk=task.pk))


def positions(*tasks: Task) -> list[int | None]:
    places = [place(task) for task in tasks]
    return [found.position if found else None for found in places]


@pytest.mark.parametrize(
    ("task_type", "queue_name"),
    [("video_generation", "gpu_heavy"), ("image_generation", "gpu_medium"), ("audio_synthesis", "cpu_intensive")],
)
def test_each_type_waits_in_its_own_line(task_type: str, queue_name: str) -> None:
    assert queues.route(task_type) == queue_name


def test_the_position_counts_priority_and_then_age(make_task: Any) -> None:
    low, old, young, high = (make_task(priority=priority) for priority in (3, 2, 2, 1))
    assert positions(high, old, young, low) == [1, 2, 3, 4]


def test_other_lines_and_finished_tasks_are_not_in_the_way(make_task: Any) -> None:
    make_task(task_type="video_generation", priority=1)
    lifecycle.cancel(make_task(priority=1))
    assert positions(make_task()) == [1]


def test_a_position_moves_up_as_those_ahead_are_claimed(make_task: Any) -> None:
    first, second, third = (make_task() for _ in range(3))
    lifecycle.claim("worker-1", ["gpu_medium"])
    assert positions(first, second, third) == [None, 1, 2]
    lifecycle.cancel(second)
    assert positions(second, third) == [None, 1]


def test_a_retried_task_stands_where_its_age_puts_it(claim_task: Any, make_task: Any) -> None:
    attempt = claim_task()
    younger = make_task()
    lifecycle.fail(attempt, "internal", "It broke.")
    assert positions(lifecycle.retry(attempt.task), younger) == [1, 2]


def test_the_next_task_is_the_one_that_is_claimed(make_task: Any) -> None:
    tasks = [make_task(priority=priority) for priority in (2, 3, 1, 2)]
    next_one = next(task for task in tasks if positions(task) == [1])
    attempt = lifecycle.claim("worker-1", ["gpu_medium"])
    assert attempt
    assert attempt.task_id == next_one.pk


def test_a_wait_is_the_work_ahead_shared_by_those_who_work(make_task: Any) -> None:
    tasks = [make_task() for _ in range(4)]
    Task.objects.update(estimated_duration=30)
    assert [place(task).wait for task in tasks] == [0, 30, 60, 90]  # type: ignore[union-attr]
    for number in (1, 2):
        lifecycle.claim(f"worker-{number}", ["gpu_medium"])
    assert place(tasks[3]).wait == 15  # type: ignore[union-attr]


def test_a_place_in_line_says_in_words_what_it_waits_for(make_task: Any) -> None:
    first, second = make_task(), make_task()
    assert place(first).in_words == "next in line"  # type: ignore[union-attr]
    assert place(second).in_words == "1 ahead in line"  # type: ignore[union-attr]


def test_a_submission_rings_one_bell_that_names_only_its_queue(make_task: Any, store: Redis) -> None:
    make_task()
    assert store.llen(BELLS) == 1
    message = json.loads(store.lindex(BELLS, 0))
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (message["headers"]["task"], arguments, keywords) == ("workers_app.tasks.look", ["gpu_medium"], {})


def test_a_retry_a_release_and_a_rescue_ring_again(claim_task: Any, store: Redis) -> None:
    attempt = claim_task()
    for verb in (lifecycle.release, lifecycle.rescue):
        store.delete(BELLS)
        Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))
        verb(attempt)
        assert store.llen(BELLS) == 1
        attempt = lifecycle.claim("worker-1", ["gpu_medium"])  # type: ignore[assignment]
    lifecycle.fail(attempt, "internal", "It broke.")
    store.delete(BELLS)
    lifecycle.retry(attempt.task)
    assert store.llen(BELLS) == 1


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_no_more_bells_wait_than_there_are_workers_and_one(workers: int, store: Redis) -> None:
    for number in range(workers):
        store.sadd("workers:active", f"worker-{number}")
    for _ in range(10):
        queues.ring("gpu_medium")
    assert store.llen(BELLS) == workers + 1


def test_a_rolled_back_submission_rings_no_bell(make_task: Any, store: Redis) -> None:
    with transaction.atomic():
        make_task()
        transaction.set_rollback(True)
    assert store.llen(BELLS) == 0


def test_without_redis_a_ring_is_harmless_and_quick(stopped_redis: None) -> None:
    begun = time.monotonic()
    queues.ring("gpu_medium")
    assert time.monotonic() - begun < 1.0


def test_bells_ring_again_once_redis_is_back(store: Redis) -> None:
    queues.ring("gpu_medium")
    environment.stop_redis()
    queues.ring("gpu_medium")
    environment.start_redis()
    redis._Quiet.until = 0.0
    queues.ring("gpu_medium")  # this one may be lost on a connection of the old server
    redis._Quiet.until = 0.0
    queues.ring("gpu_medium")
    assert store.llen(BELLS) == 1
