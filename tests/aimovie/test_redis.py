"""Redis away: it costs time and nothing else."""

import json
import time
from typing import Any

import pytest
from redis import Redis
from rest_framework.test import APIClient

from aimovie import redis
from tasks_app import lifecycle, mirror
from tasks_app.models import Project, Task
from tests import environment

pytestmark = pytest.mark.django_db(transaction=True)

BODY: dict[str, Any] = {"project_id": "noir", "task_type": "image_generation", "task_data": {"prompt": "a red door"}}


def submit(api: APIClient) -> str:
    response = api.post("/api/v1/tasks/submit", BODY, format="json")
    assert response.status_code == 201
    return str(response.json()["task_id"])


def every_call_answers(api: APIClient) -> None:
    waiting, failed = submit(api), submit(api)
    attempt = lifecycle.claim("worker-1", ["gpu_medium"])
    assert attempt
    lifecycle.fail(attempt, "internal", "It broke.")
    broken, other = (failed, waiting) if str(attempt.task_id) == failed else (waiting, failed)
    for method, path, status in [
        ("get", f"tasks/{other}/status", 200),
        ("get", f"tasks/{other}", 200),
        ("post", f"tasks/{broken}/retry", 201),
        ("delete", f"tasks/{other}/cancel", 200),
        ("get", "projects/noir/tasks", 200),
        ("get", "workers/status", 200),
    ]:
        assert getattr(api, method)(f"/api/v1/{path}").status_code == status


def test_without_redis_every_call_still_answers(api: APIClient, stopped_redis: None) -> None:
    every_call_answers(api)
    assert Task.objects.unmirrored().count() == 2


def test_a_task_runs_from_claim_to_completion_without_redis(claim_task: Any, stopped_redis: None) -> None:
    attempt = claim_task()
    lifecycle.advance(attempt, 0.5, "denoising 2/4")
    assert lifecycle.complete(attempt, lambda task: {"media": []}).status == "completed"


def test_when_redis_is_back_upkeep_brings_every_copy_back(api: APIClient, stopped_redis: None, store: Redis) -> None:
    ids = {submit(api) for _ in range(3)}
    environment.start_redis()
    redis._Quiet.until = 0.0
    mirror.notice_flush()
    mirror.repair()
    assert store.smembers("tasks:by_status:queued") == store.smembers("tasks:by_project:noir") == ids
    assert {json.loads(store.get(f"tasks:{task_id}"))["task_id"] for task_id in ids} == ids
    assert json.loads(store.get("projects:noir"))["task_count"] == 3
    assert store.smembers("projects:active") == {"noir"}
    assert not Task.objects.unmirrored().exists()
    assert not Project.objects.unmirrored().exists()


def test_a_redis_that_was_restarted_between_two_calls_goes_unnoticed(store: Redis) -> None:
    with redis.connection() as connection:
        connection.ping()
    environment.stop_redis()
    environment.start_redis()
    with redis.connection() as connection:
        assert connection.ping()


def test_after_a_failure_redis_is_left_alone_for_two_seconds(stopped_redis: None) -> None:
    with pytest.raises(redis.Away), redis.connection() as connection:
        connection.ping()
    environment.start_redis()
    failed_at = time.monotonic()
    with pytest.raises(redis.Away), redis.connection():
        pytest.fail("nothing may be tried yet")
    assert redis.is_up()
    time.sleep(max(0.0, 2.1 - (time.monotonic() - failed_at)))
    with redis.connection() as connection:
        assert connection.ping()


def test_a_frozen_redis_slows_one_call_by_two_seconds_and_the_next_not_at_all(api: APIClient) -> None:
    submit(api)
    with environment.frozen_redis():
        took = []
        for _ in range(3):
            begun = time.monotonic()
            submit(api)
            took.append(time.monotonic() - begun)
    assert took[0] < 3.0
    assert max(took[1:]) < 0.5


def test_a_mistake_of_ours_is_not_taken_for_redis_being_away(store: Redis) -> None:
    with pytest.raises(KeyError), redis.connection():
        raise KeyError("ours")
    with redis.connection() as connection:
        assert connection.ping()


def test_the_keys_of_the_data_model_are_spelled_exactly() -> None:
    assert [
        redis.task("T"), redis.tasks_by_project("P"), redis.tasks_by_status("queued"), redis.project("P"),
        redis.PROJECTS_ACTIVE, redis.worker("W"), redis.WORKERS_ACTIVE, redis.progress("T"), redis.bells("gpu_heavy"),
    ] == [
        "tasks:T", "tasks:by_project:P", "tasks:by_status:queued", "projects:P",
        "projects:active", "workers:W", "workers:active", "progress:T", "celery:queue:gpu_heavy",
    ]  # fmt: skip
