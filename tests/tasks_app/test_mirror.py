"""Our rows in Redis: exact keys, never an older copy over a newer one, and back after a loss."""

import copy
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from redis import Redis

from tasks_app import lifecycle, mirror
from tasks_app.models import Project, Status, Task

pytestmark = pytest.mark.django_db(transaction=True)

TASK = {
    "task_id", "project_id", "task_type", "status", "priority", "task_data", "progress", "current_step", "result",
    "error", "callback_url", "metadata", "created_at", "started_at", "completed_at", "estimated_duration",
}  # fmt: skip
PROJECT = {"project_id", "project_name", "task_count", "active_tasks", "storage_prefix", "created_at", "last_activity"}


def at_revision(task: Task, revision: int, status: str) -> Task:
    """The task as it was, or will be, at this revision."""
    row = copy.copy(task)
    row.revision, row.status = revision, status
    return row


def copy_of(store: Redis, task: Task) -> dict[str, Any]:
    return json.loads(store.get(f"tasks:{task.pk}"))  # type: ignore[no-any-return]


def statuses_of(store: Redis, task: Task) -> list[str]:
    """The index sets that hold the task."""
    return [status for status in Status.values if store.sismember(f"tasks:by_status:{status}", str(task.pk))]


@pytest.fixture
def task(make_task: Callable[..., Task]) -> Task:
    """A task whose row is far ahead of its copy, so that any revision up to 1000 may be written."""
    task = make_task()
    Task.objects.update(revision=1000)
    return task


def test_a_submission_writes_exactly_the_keys_of_the_data_model(make_task: Any, store: Redis) -> None:
    task = make_task()
    ours = {key for key in store.keys("*") if not key.startswith(("celery:queue:", "aimovie:"))}
    assert ours == {
        f"tasks:{task.pk}",
        "tasks:by_project:noir",
        "tasks:by_status:queued",
        "projects:noir",
        "projects:active",
    }
    assert store.smembers("tasks:by_project:noir") == store.smembers("tasks:by_status:queued") == {str(task.pk)}
    assert store.smembers("projects:active") == {"noir"}
    assert store.ttl(f"tasks:{task.pk}") == -1


def test_the_copies_carry_every_stored_attribute(make_task: Any, store: Redis) -> None:
    task = make_task(metadata={"scene": "雨"}, priority=1)
    held = copy_of(store, task)
    assert set(held) >= TASK
    assert (held["task_id"], held["priority"], held["metadata"]) == (str(task.pk), 1, {"scene": "雨"})
    assert held["created_at"].endswith("Z")
    project = json.loads(store.get("projects:noir"))
    assert set(project) >= PROJECT
    assert (project["task_count"], project["storage_prefix"]) == (1, "projects/noir")


def test_what_a_rolled_back_transaction_did_is_never_shown(make_task: Any, store: Redis) -> None:
    with transaction.atomic():
        make_task()
        transaction.set_rollback(True)
    assert not store.keys("tasks:*")


def test_the_index_follows_the_status(task: Task, store: Redis) -> None:
    for revision, status in enumerate(["processing", "failed", "queued", "processing", "completed"], 2):
        mirror.write(at_revision(task, revision, status))
        assert statuses_of(store, task) == [status]
        assert copy_of(store, task)["status"] == status


def test_an_older_revision_never_overwrites_a_newer_one(task: Task, store: Redis) -> None:
    mirror.write(at_revision(task, 7, "completed"))
    mirror.write(at_revision(task, 5, "processing"))
    assert (copy_of(store, task)["status"], statuses_of(store, task)) == ("completed", ["completed"])


def test_revisions_are_numbers_and_not_words(task: Task, store: Redis) -> None:
    mirror.write(at_revision(task, 9, "processing"))
    mirror.write(at_revision(task, 10, "completed"))
    assert copy_of(store, task)["status"] == "completed"


def test_a_writer_that_died_between_copy_and_index_is_made_good_by_the_next(task: Task, store: Redis) -> None:
    mirror.write(at_revision(task, 2, "processing"))
    store.delete("tasks:by_status:processing", "tasks:by_project:noir")
    store.sadd("tasks:by_status:queued", str(task.pk))
    mirror.write(at_revision(task, 2, "processing"))
    assert statuses_of(store, task) == ["processing"]
    assert store.smembers("tasks:by_project:noir") == {str(task.pk)}


class RedisWhereAnotherWriterComesBetween:
    """The real one, but something else happens just after the nth command of its name."""

    def __init__(self, store: Redis, command: str, then: Callable[[], None]) -> None:
        self.store, self.command, self.then = store, command, then

    def __getattr__(self, name: str) -> Any:
        def run(*args: Any, **options: Any) -> Any:
            answer = getattr(self.store, name)(*args, **options)
            if name == self.command and self.then:
                then, self.then = self.then, None  # type: ignore[assignment]
                then()
            return answer

        return run


@pytest.mark.parametrize("command", ["eval", "sadd", "getrange"])
def test_a_writer_that_is_overtaken_at_any_moment_leaves_the_newer_index(
    command: str, task: Task, store: Redis
) -> None:
    between = RedisWhereAnotherWriterComesBetween(
        store, command, lambda: mirror.write(at_revision(task, 3, "processing"))
    )
    mirror._write_task(between, at_revision(task, 2, "queued"))  # type: ignore[arg-type]
    assert copy_of(store, task)["status"] == "processing"
    assert statuses_of(store, task) == ["processing"]


def test_many_writers_at_once_end_with_the_newest(task: Task, store: Redis) -> None:
    chance = random.Random(7)
    rows = [at_revision(task, revision, chance.choice(Status.values)) for revision in range(2, 122)]
    newest = rows[-1].status
    chance.shuffle(rows)

    def write_all(part: list[Task]) -> None:
        try:
            for row in part:
                mirror.write(row)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_all, [rows[start::6] for start in range(6)]))
    assert (copy_of(store, task)["revision"], statuses_of(store, task)) == (121, [newest])
    assert Task.objects.get().mirrored == 121


def test_a_deleted_project_is_no_longer_active_whoever_writes_last(task: Task, store: Redis) -> None:
    living = Project.objects.get()
    Project.objects.update(deleted_at=Now(), revision=9)
    deleted = Project.objects.get()
    between = RedisWhereAnotherWriterComesBetween(store, "eval", lambda: mirror.write(deleted))
    living.revision = 5
    mirror._write_project(between, living)  # type: ignore[arg-type]
    assert store.smembers("projects:active") == set()
    Project.objects.update(deleted_at=None, revision=10)
    mirror.write(Project.objects.get())
    assert store.smembers("projects:active") == {"noir"}


def test_a_written_copy_is_remembered_so_that_nothing_is_left_to_repair(claim_task: Any) -> None:
    lifecycle.complete(claim_task(), lambda task: {})
    assert mirror.repair() == 0


def test_a_flush_is_noticed_and_everything_written_again(claim_task: Any, make_task: Any, store: Redis) -> None:
    mirror.notice_flush()
    running, waiting = claim_task().task, make_task(project_id="rosso")
    mirror.notice_flush()
    assert mirror.repair() == 0
    store.flushall()
    mirror.notice_flush()
    assert mirror.repair() == 4
    assert (statuses_of(store, running), statuses_of(store, waiting)) == (["processing"], ["queued"])
    assert store.smembers("projects:active") == {"noir", "rosso"}
    assert copy_of(store, waiting)["project_id"] == "rosso"
    mirror.notice_flush()
    assert mirror.repair() == 0


def test_repair_goes_batch_by_batch(make_task: Any, store: Redis, monkeypatch: Any) -> None:
    for _ in range(5):
        make_task()
    store.flushall()
    mirror.notice_flush()
    monkeypatch.setattr(mirror, "BATCH", 2)
    assert [mirror.repair() for _ in range(4)] == [3, 2, 1, 0]
    assert store.scard("tasks:by_status:queued") == 5


def test_without_redis_a_row_stays_unmirrored(make_task: Any, stopped_redis: None) -> None:
    task = make_task()
    mirror.notice_flush()
    mirror.repair()
    assert list(Task.objects.unmirrored()) == [task]
