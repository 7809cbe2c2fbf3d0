"""THE state machine: every way in which a task's status may change, one verb per arrow.

    queued ──claim──> processing ──complete──> completed
      │                 │  └───────fail──────> failed ──retry──> queued
      └─────cancel──────┴────────────────────> cancelled

Each verb is one guarded write: `UPDATE ... WHERE task_id = ? AND attempt = ? AND status IN (allowed)`. No row hit means
refused. `attempt` counts up at every claim, so a worker that was given up for dead can write nothing any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Now
from django.utils import timezone

from aimovie.errors import DomainError
from tasks_app import estimates, mirror, progress, queues
from tasks_app.models import Attempt, ErrorCode, Outcome, Project, Status, Task
from tasks_app.serializers import Submission


@dataclass(frozen=True)
class Arrow:
    leaves: frozenset[str]
    arrives: str


ARROWS = {
    "claim": Arrow(frozenset({Status.QUEUED}), Status.PROCESSING),
    "advance": Arrow(frozenset({Status.PROCESSING}), Status.PROCESSING),
    "complete": Arrow(frozenset({Status.PROCESSING}), Status.COMPLETED),
    "fail": Arrow(frozenset({Status.PROCESSING}), Status.FAILED),
    "cancel": Arrow(frozenset({Status.QUEUED, Status.PROCESSING}), Status.CANCELLED),
    "retry": Arrow(frozenset({Status.FAILED}), Status.QUEUED),
}

TRIED_AGAIN = frozenset({ErrorCode.WORKER_LOST, ErrorCode.TIMED_OUT})
"""Failures that say nothing about the request: the task goes back in line while it has tries left."""


class Refused(DomainError):
    """The task is in a status that this verb does not leave, or belongs to a later attempt."""


# --- By clients ----------------------------------------------------------------------------------------------------


@transaction.atomic
def submit(submission: Submission) -> Task:
    """Accept a task: its row, and its place in line.

    Raises:
        Refused: the project was deleted.
    """
    project = _count_submission(submission.project_id)
    task = Task.objects.create(
        project=project,
        task_type=submission.task_type,
        priority=submission.priority,
        task_data=submission.task_data,
        callback_url=submission.callback_url,
        metadata=submission.metadata,
        created_at=timezone.now(),
        queue_name=queues.route(submission.task_type),
        estimated_duration=estimates.duration(submission.task_type),
    )
    _announce(task, project)
    _ring(task)
    return task


@transaction.atomic
def cancel(task: Task) -> Task:
    """queued or processing -> cancelled; a worker in the middle of it is refused at its next `advance`."""
    moved = _move(task, "cancel", completed_at=timezone.now(), current_step="cancelled")
    _close(moved, Outcome.CANCELLED)
    return moved


@transaction.atomic
def retry(task: Task) -> Task:
    """failed -> queued, with a fresh count of tries.

    Raises:
        Refused: not failed, or the project was deleted.
    """
    if task.project.deleted_at:
        raise Refused(f"Project {task.project_id} is deleted; restore it first.", project_id=task.project_id)
    moved = _requeue(task, tries=0)
    _announce(moved)
    _ring(moved)
    return moved


# --- By workers ----------------------------------------------------------------------------------------------------


def claim(worker_id: str, queue_names: list[str]) -> Attempt | None:
    """Take the first task of these lines, under a lease; None when nothing waits."""
    if not Task.objects.in_line(*queue_names).exists():  # an idle look must not take the one write lock of SQLite
        return None
    with transaction.atomic():
        # SKIP LOCKED: a head that another worker is claiming this moment is not ours to wait for.
        head = Task.objects.in_line(*queue_names).select_for_update(skip_locked=True, of=("self",)).first()
        return _begin(head, worker_id) if head else None


def advance(attempt: Attempt, fraction: float, step: str) -> Task:
    """Record how far a running attempt is; within an attempt this never goes back.

    No new revision: the mirror's copy follows the status, and what is live has a key of its own.

    Raises:
        Refused: the task was cancelled, or given to another attempt: stop.
        ValueError: `fraction` is not within 0.0 to below 1.0; 1.0 is `complete`'s.
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"progress must be within 0.0 and below 1.0, not {fraction}")
    rows = Task.objects.filter(**_guard(attempt.task, "advance", attempt))
    if not rows.update(progress=Greatest(F("progress"), Value(fraction)), current_step=step[:200]):
        raise _refusal(attempt.task, "advance", attempt)
    return Task.objects.defer("task_data", "metadata").get(pk=attempt.task_id)


@transaction.atomic
def complete(attempt: Attempt, record: Callable[[Task], dict[str, Any]]) -> Task:
    """processing -> completed. `record` puts the files at their final keys, writes their rows and returns the result;
    it runs while this attempt holds the task's row, so no other attempt can be at the same keys.

    Raises:
        Refused: the task was cancelled, or given to another attempt; `record` was not called.
    """
    held = Task.objects.select_for_update().filter(**_guard(attempt.task, "complete", attempt)).first()
    if held is None:
        raise _refusal(attempt.task, "complete", attempt)
    result = record(held)
    moved = _move(
        held,
        "complete",
        attempt=attempt,
        result=result,
        progress=1.0,
        current_step="completed",
        completed_at=timezone.now(),
    )
    _close(moved, Outcome.COMPLETED)
    return moved


@transaction.atomic
def fail(attempt: Attempt, error_code: str, error: str, *, traceback: str = "", outcome: str = Outcome.FAILED) -> Task:
    """processing -> failed; and on to queued where the failure is the world's and tries are left.

    Raises:
        Refused: the task was cancelled, or given to another attempt.
    """
    moved = _move(
        attempt.task,
        "fail",
        attempt=attempt,
        error_code=error_code,
        error=error,
        completed_at=timezone.now(),
        current_step="failed",
    )
    goes_on = error_code in TRIED_AGAIN and moved.tries < settings.MAX_TRIES
    if goes_on:
        moved = _requeue(moved)
    _close(moved, outcome, number=attempt.number, error_code=error_code, error=error, traceback=traceback)
    if goes_on:
        _ring(moved)
    return moved


@transaction.atomic
def release(attempt: Attempt) -> Task:
    """Give a task back unfinished, because its worker was told to stop: at its old place in line, no try counted.

    Raises:
        Refused: the task was cancelled, or given to another attempt.
    """
    passing = {"error_code": ErrorCode.WORKER_LOST, "error": "The worker was stopped.", "completed_at": timezone.now()}
    failed = _move(attempt.task, "fail", attempt=attempt, **passing)
    moved = _requeue(failed, tries=failed.tries - 1)
    _close(moved, Outcome.RELEASED, number=attempt.number)
    _ring(moved)
    return moved


@transaction.atomic
def rescue(attempt: Attempt) -> Task:
    """Take the task of an attempt whose lease ran out: back in line, or failed when its tries are used up.

    Raises:
        Refused: it was finished or rescued in the meantime, or its worker is believed again.
    """
    task = Task.objects.select_for_update().get(pk=attempt.task_id)  # the task before the attempt, as all verbs do
    if not Attempt.objects.expired().filter(pk=attempt.pk).exists():
        raise Refused("The attempt is over, or its worker is believed again.", status=task.status)
    words = f"Its worker {attempt.worker_id} was lost in attempt {attempt.number}."
    return fail(attempt, ErrorCode.WORKER_LOST, words, outcome=Outcome.LOST)


# --- How -----------------------------------------------------------------------------------------------------------


def _guard(task: Task, verb: str, attempt: Attempt | None = None) -> dict[str, Any]:
    guard: dict[str, Any] = {"task_id": task.task_id, "status__in": ARROWS[verb].leaves}
    return guard if attempt is None else {**guard, "attempt": attempt.number}


def _move(task: Task, verb: str, *, attempt: Attempt | None = None, **changes: Any) -> Task:
    """The one guarded write. Raises Refused where it hits no row."""
    rows = Task.objects.filter(**_guard(task, verb, attempt))
    if not rows.update(**{"status": ARROWS[verb].arrives, "revision": F("revision") + 1, **_attempt_change(changes)}):
        raise _refusal(task, verb, attempt)
    return Task.objects.select_related("project").get(pk=task.pk)


def _attempt_change(changes: dict[str, Any]) -> dict[str, Any]:
    """`next_attempt=True` counts the fence and the tries up."""
    if changes.pop("next_attempt", False):
        changes |= {"attempt": F("attempt") + 1, "tries": F("tries") + 1}
    return changes


def _refusal(task: Task, verb: str, attempt: Attempt | None = None) -> Refused:
    status, number = Task.objects.values_list("status", "attempt").get(pk=task.pk)
    allowed = sorted(ARROWS[verb].leaves)
    if attempt and status in ARROWS[verb].leaves:
        words = f"Cannot {verb} attempt {attempt.number}: the task is {status} in attempt {number}."
        return Refused(words, status=status, allowed=allowed)
    return Refused(f"Cannot {verb} a task that is {status}.", status=status, allowed=allowed)


def _begin(task: Task, worker_id: str) -> Attempt:
    now = timezone.now()
    moved = _move(task, "claim", next_attempt=True, started_at=now, progress=0.0, current_step="starting")
    attempt = Attempt.objects.create(
        task=moved, number=moved.attempt, worker_id=worker_id, started_at=now, lease_until=Now() + settings.LEASE
    )
    _announce(moved, _count_active(moved.project_id, +1))
    return attempt


def _requeue(task: Task, **changes: Any) -> Task:
    return _move(
        task, "retry", error=None, error_code=None, completed_at=None, started_at=None, progress=0.0, current_step="",
        estimated_duration=estimates.duration(task.task_type), **changes,
    )  # fmt: skip


def _close(task: Task, outcome: str, *, number: int | None = None, **words: Any) -> None:
    """End the open attempt, if there is one, and tell everyone where the task stands now."""
    number = task.attempt if number is None else number
    rows = Attempt.objects.open().filter(task=task, number=number)
    if rows.update(outcome=outcome, finished_at=timezone.now(), **words):
        _announce(task, _count_active(task.project_id, -1))
        transaction.on_commit(partial(progress.keep, task.task_id), robust=True)
    else:
        _announce(task)


def _announce(task: Task, project: Project | None = None) -> None:
    """After the commit, and only then: the mirror. What goes wrong there is logged, and undoes nothing."""
    transaction.on_commit(partial(mirror.write, task), robust=True)
    if project:
        transaction.on_commit(partial(mirror.write, project), robust=True)


def _ring(task: Task) -> None:
    transaction.on_commit(partial(queues.ring, task.queue_name), robust=True)


def _count_submission(project_id: str) -> Project:
    """The project, made on first use; refuses one that was deleted, also a moment ago."""
    Project.objects.get_or_create(project_id=project_id)
    counted = Project.objects.filter(pk=project_id, deleted_at__isnull=True).update(
        task_count=F("task_count") + 1, revision=F("revision") + 1, last_activity=timezone.now()
    )
    if not counted:
        raise Refused(f"Project {project_id} is deleted; restore it first.", project_id=project_id)
    return Project.objects.get(pk=project_id)


def _count_active(project_id: str, change: int) -> Project:
    activity: dict[str, datetime] = {"last_activity": timezone.now()} if change < 0 else {}
    Project.objects.filter(pk=project_id).update(
        active_tasks=F("active_tasks") + change, revision=F("revision") + 1, **activity
    )
    return Project.objects.get(pk=project_id)
