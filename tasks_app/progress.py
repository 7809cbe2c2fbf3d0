"""The live, expiring record of a running attempt, in Redis alone; the row keeps the last number for when it is away."""

import json
from contextlib import suppress
from typing import Any

from django.utils import timezone

from aimovie import redis
from aimovie.api.parsing import moment
from tasks_app import estimates
from tasks_app.models import Task


def write(task: Task, *, phase: str, done: int, total: int) -> None:
    """Say where a running task stands. The key outlives its last word by an hour: one left behind goes by itself."""
    with suppress(redis.Away), redis.connection() as connection:
        key = redis.progress(task.task_id)
        before = json.loads(connection.get(key) or "{}")
        record = _record(task, before, phase=phase, done=done, total=total)
        connection.set(key, json.dumps(record), ex=redis.PROGRESS_TTL)


def read(task_id: object) -> dict[str, Any] | None:
    """The live record of a task, or None where there is none (or no Redis)."""
    with suppress(redis.Away), redis.connection() as connection:
        record: dict[str, Any] | None = json.loads(connection.get(redis.progress(task_id)) or "null")
        return record
    return None


def keep(task_id: object) -> None:
    """One hour from now: called with every beat while the task runs, and at its end."""
    with suppress(redis.Away), redis.connection() as connection:
        connection.expire(redis.progress(task_id), redis.PROGRESS_TTL)


def _record(task: Task, before: dict[str, Any], *, phase: str, done: int, total: int) -> dict[str, Any]:
    same_step = (
        before.get("detailed_status", {}).get("phase") == phase
        and before["detailed_status"].get("attempt") == task.attempt
    )
    return {
        "task_id": str(task.task_id),
        "progress_percentage": task.progress,
        "current_step": task.current_step,
        "step_start_time": before["step_start_time"] if same_step else moment(timezone.now()),
        "estimated_remaining": estimates.remaining(task),
        "detailed_status": {"phase": phase, "done": done, "total": total, "attempt": task.attempt},
    }
