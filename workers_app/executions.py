"""The execution record of an attempt in django-celery-results: written once, at its end; a record, never the truth."""

import json

from celery import states
from django_celery_results.models import TaskResult

from tasks_app.models import Attempt, Outcome

STATES = {
    Outcome.COMPLETED: states.SUCCESS,
    Outcome.FAILED: states.FAILURE,
    Outcome.LOST: states.FAILURE,
    Outcome.CANCELLED: states.REVOKED,
    Outcome.RELEASED: states.RETRY,
}


def record(attempt: Attempt) -> None:
    """Write the record of a finished attempt and link it; an attempt that is still open gets none yet."""
    attempt = Attempt.objects.select_related("task").get(pk=attempt.pk)
    if attempt.outcome is None or attempt.execution_id is not None:
        return
    task = attempt.task
    row = TaskResult.objects.store_result(
        content_type="application/json",
        content_encoding="utf-8",
        task_id=str(attempt.attempt_id),
        result=json.dumps({"outcome": attempt.outcome, "error_code": attempt.error_code, "error": attempt.error}),
        status=STATES[Outcome(attempt.outcome)],
        traceback=attempt.traceback or None,
        task_name=task.task_type,
        task_kwargs=json.dumps({"task_id": str(task.task_id), "attempt": attempt.number}),
        worker=attempt.worker_id,
        date_started=attempt.started_at,
    )
    Attempt.objects.filter(pk=attempt.pk).update(execution=row)
