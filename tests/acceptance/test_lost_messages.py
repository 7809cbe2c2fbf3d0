"""A message is a hint: lost, doubled or flushed away, it costs seconds and never a task."""

from typing import Any

from redis import Redis

from aimovie.celery import app
from tasks_app.queues import BELL
from tests.acceptance.conftest import EngineLog, eventually, finished


def test_tasks_complete_although_redis_was_flushed_while_they_waited(worker: Any, make_task: Any, store: Redis) -> None:
    tasks = [make_task() for _ in range(5)]
    store.flushall()
    worker()
    assert {task.status for task in finished(*tasks)} == {"completed"}
    ids = {str(task.pk) for task in tasks}
    eventually(lambda: store.smembers("tasks:by_status:completed") == ids, why="the mirror was not repaired")
    assert store.smembers("tasks:by_project:noir") == ids
    assert not store.exists("tasks:by_status:queued")


def test_an_idle_worker_finds_a_task_whose_bell_was_lost(worker: Any, make_task: Any, store: Redis) -> None:
    worker()
    app.control.purge()
    task = make_task()
    store.delete("celery:queue:gpu_medium")
    assert finished(task)[0].status == "completed"


def test_doubled_bells_start_nothing_twice(worker: Any, make_task: Any, engines: EngineLog, store: Redis) -> None:
    worker(), worker()
    tasks = [make_task() for _ in range(4)]
    for _ in range(40):
        app.send_task(BELL, args=["gpu_medium"], queue="gpu_medium")
    finished(*tasks)
    eventually(lambda: store.llen("celery:queue:gpu_medium") == 0)
    assert sorted(line["task"] for line in engines.of("begin")) == sorted(str(task.pk) for task in tasks)
