"""A worker process: its name, its door, its leftovers."""

import uuid
from threading import Event, Thread
from typing import Any

import pytest

from tasks_app.models import Attempt, Task
from workers_app import process
from workers_app.models import Worker


@pytest.mark.parametrize(
    ("queue_names", "worker_type"),
    [
        (["gpu_medium"], "gpu_medium"),
        (["cpu_intensive", "gpu_heavy"], "gpu_heavy"),
        (["gpu_heavy.noir"], "gpu_heavy"),
    ],
)
def test_a_worker_is_of_the_type_of_the_heaviest_queue_it_serves(
    queue_names: list[str], worker_type: str, transactional_db: None
) -> None:
    row = process.describe("w@here", queue_names)
    assert (row.worker_type, row.status, row.queue_names) == (worker_type, "active", queue_names)


def test_each_start_has_an_id_of_its_own(transactional_db: None) -> None:
    ids = {process.describe("w@here", ["gpu_heavy"]).worker_id for _ in range(3)}
    assert len(ids) == Worker.objects.count() == 3


def test_a_very_long_node_name_still_fits(transactional_db: None) -> None:
    assert len(process.describe("w" * 300, ["gpu_heavy"]).worker_id) <= 100


def test_a_look_that_finds_the_door_shut_leaves_the_line_alone(make_task: Any) -> None:
    task = make_task()
    worker = process.WorkerProcess("w@here", ["gpu_medium"], Event())
    with worker.door:
        second = Thread(target=worker.look)
        second.start()
        second.join(10)
    assert not second.is_alive(), "it left"
    assert Task.objects.get(pk=task.pk).status == "queued"


def test_a_worker_told_to_stop_claims_nothing(make_task: Any) -> None:
    task = make_task()
    worker = process.WorkerProcess("w@here", ["gpu_medium"], Event())
    worker.desk.stopping.set()
    worker.look()
    assert Task.objects.get(pk=task.pk).status == "queued"


def test_folders_of_dead_attempts_are_removed_and_those_of_open_ones_kept(claim_task: Any, settings: Any) -> None:
    attempt: Attempt = claim_task()
    for name in (str(attempt.pk), str(uuid.uuid4()), "left by a library"):
        (settings.WORK_FOLDER / name).mkdir(parents=True)
    process.forget_dead_work()
    assert [folder.name for folder in settings.WORK_FOLDER.iterdir()] == [str(attempt.pk)]
    (settings.WORK_FOLDER / str(attempt.pk)).rmdir()
