"""How long things take: plainly, as the last few of the same type did."""

from datetime import timedelta

from django.utils import timezone

from tasks_app.models import Task, TaskType

HISTORY = 20
GUESSES = {TaskType.VIDEO: 300, TaskType.IMAGE: 30, TaskType.AUDIO: 10}
"""Seconds, while nothing of the type has been completed yet."""


def duration(task_type: str) -> int:
    """Seconds that a task of this type is expected to run: the mean of the last `HISTORY` completed, at least 1."""
    rows = Task.objects.filter(task_type=task_type, status="completed").order_by("-completed_at")
    times = rows.values_list("started_at", "completed_at")[:HISTORY]
    runs = [done - begun for begun, done in times if begun and done]
    if not runs:
        return GUESSES[TaskType(task_type)]
    return max(1, round(sum(runs, timedelta()).total_seconds() / len(runs)))


def remaining(task: Task) -> int | None:
    """Seconds until a running task is done: from its own pace once it has one, else from the estimate."""
    if task.started_at is None or task.is_finished:
        return None
    elapsed = (timezone.now() - task.started_at).total_seconds()
    expected = elapsed / task.progress if task.progress > 0.05 else task.estimated_duration
    return max(0, round(expected - elapsed))
