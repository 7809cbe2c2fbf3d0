"""Our rows in Redis, under the data model's keys: copies that can be lost and are written again.

A copy begins with its revision and status, so that one script over one key can refuse what is older
(on a Redis Cluster a script may touch no second key; the index sets follow in commands of their own).
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from redis import Redis
from rest_framework.renderers import JSONRenderer

from aimovie import redis
from tasks_app.models import Project, Status, Task
from tasks_app.models.mirrored import Mirrored
from tasks_app.serializers import TaskSerializer

WRITE_IF_NEWER = """
local current = redis.call('GET', KEYS[1])
local held = current and tonumber(string.match(current, '^{"revision":(%d+)'))
if held and held >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

BEGINNING = re.compile(r'\{"revision":\d+,"status":"(\w+)"')

PROJECT_ATTRIBUTES = ("project_id", "project_name", "task_count", "active_tasks", "storage_prefix", "created_at",
                      "last_activity")  # fmt: skip

BATCH = 500


def write(row: Mirrored) -> None:
    """Bring the copy of a task or project up to this revision. Redis being away leaves it to upkeep."""
    with suppress(redis.Away):
        with redis.connection() as connection:
            _WRITERS[type(row)](connection, row)
        type(row).objects.filter(pk=row.pk, mirrored__lt=row.revision).update(mirrored=row.revision)  # type: ignore[attr-defined]


def repair() -> int:
    """Write what the mirror has not seen, a batch at a time; how many rows that were."""
    rows: list[Mirrored] = [*Project.objects.unmirrored()[:BATCH], *Task.objects.unmirrored()[:BATCH]]
    for row in rows:
        write(row)
    return len(rows)


def notice_flush() -> None:
    """If Redis has lost our copies, call every row unmirrored, so that `repair` writes them all again."""
    with suppress(redis.Away):
        with redis.connection() as connection:
            if connection.exists(redis.MIRROR_COMPLETE):
                return
            if not connection.set(redis.MIRROR_REBUILDING, 1, nx=True, ex=60):  # another worker is at it
                return
        Task.objects.update(mirrored=0)
        Project.objects.update(mirrored=0)
        with redis.connection() as connection:
            connection.set(redis.MIRROR_COMPLETE, 1)


def _put(connection: Redis, key: str, row: Mirrored, body: dict[str, Any]) -> None:
    text = _json({"revision": row.revision, **body})
    connection.eval(WRITE_IF_NEWER, 1, key, row.revision, text)


def _write_task(connection: Redis, task: Task) -> None:
    key, task_id = redis.task(task.task_id), str(task.task_id)
    _put(connection, key, task, {"status": task.status, **TaskSerializer(task).data})
    connection.sadd(redis.tasks_by_project(task.project_id), task_id)
    _follow(connection, key, partial(_index_task, connection, task_id))


def _index_task(connection: Redis, task_id: str, status: str) -> None:
    with connection.pipeline(transaction=False) as commands:
        commands.sadd(redis.tasks_by_status(status), task_id)
        for other in Status.values:
            if other != status:
                commands.srem(redis.tasks_by_status(other), task_id)
        commands.execute()


def _write_project(connection: Redis, project: Project) -> None:
    key = redis.project(project.project_id)
    attributes = {name: getattr(project, name) for name in PROJECT_ATTRIBUTES}
    _put(connection, key, project, {"status": "deleted" if project.deleted_at else "active", **attributes})
    _follow(connection, key, partial(_index_project, connection, project.project_id))


def _index_project(connection: Redis, project_id: str, status: str) -> None:
    edit = connection.sadd if status == "active" else connection.srem
    edit(redis.PROJECTS_ACTIVE, project_id)


def _follow(connection: Redis, key: str, index: Callable[[str], None]) -> None:
    """Bring the index sets to what the copy says, whoever wrote it, until it says nothing new: a writer that is
    overtaken at any moment, or that died between copy and index, leaves no task in a wrong set."""
    seen = None
    while (status := _status_of(connection, key)) not in {None, seen}:
        index(status)
        seen = status


def _status_of(connection: Redis, key: str) -> str | None:
    """The status in the copy, without the rest: a storyboard's pictures may be in it."""
    head = BEGINNING.match(str(connection.getrange(key, 0, 63)))
    return head[1] if head else None


def _json(body: dict[str, Any]) -> str:
    return JSONRenderer().render(body).decode()


_WRITERS: dict[type[Mirrored], Callable[[Redis, Any], None]] = {Task: _write_task, Project: _write_project}
