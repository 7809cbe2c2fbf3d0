"""Our rows in Redis, under the data model's keys: copies that can be lost and are written again.

A copy begins with its revision and status, so that one script over one key can refuse what is older
(on a Redis Cluster a script may touch no second key; the index sets follow in commands of their own).
"""

import json
from collections.abc import Callable
from contextlib import suppress
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
        Task.objects.update(mirrored=0)
        Project.objects.update(mirrored=0)
        with redis.connection() as connection:
            connection.set(redis.MIRROR_COMPLETE, 1)


def _put(connection: Redis, key: str, row: Mirrored, body: dict[str, Any]) -> bool:
    text = _json({"revision": row.revision, **body})
    return bool(connection.eval(WRITE_IF_NEWER, 1, key, row.revision, text))


def _write_task(connection: Redis, task: Task) -> None:
    key = redis.task(task.task_id)
    if not _put(connection, key, task, {"status": task.status, **TaskSerializer(task).data}):
        return
    task_id = str(task.task_id)
    connection.sadd(redis.tasks_by_project(task.project_id), task_id)
    connection.sadd(redis.tasks_by_status(task.status), task_id)
    # A newer revision may have passed between our SET and our SADD: believe the copy, not our memory of it.
    current = json.loads(connection.get(key) or "{}").get("status", task.status)
    for status in Status.values:
        if status != current:
            connection.srem(redis.tasks_by_status(status), task_id)


def _write_project(connection: Redis, project: Project) -> None:
    body = {
        name: getattr(project, name)
        for name in (
            "project_id",
            "project_name",
            "task_count",
            "active_tasks",
            "storage_prefix",
            "created_at",
            "last_activity",
        )
    }
    if _put(connection, redis.project(project.project_id), project, body):
        edit = connection.srem if project.deleted_at else connection.sadd
        edit(redis.PROJECTS_ACTIVE, project.project_id)


def _json(body: dict[str, Any]) -> str:
    return JSONRenderer().render(body).decode()


_WRITERS: dict[type[Mirrored], Callable[[Redis, Any], None]] = {Task: _write_task, Project: _write_project}
