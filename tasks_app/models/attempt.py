"""One try at a task, by one worker, under a lease."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_celery_results.models import TaskResult

from tasks_app.models.task import ErrorCode, Task


class Outcome(models.TextChoices):
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"  # given back unfinished: its worker was told to stop
    LOST = "lost"  # its lease ran out


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def open(self) -> Self:
        return self.filter(finished_at__isnull=True)

    def expired(self) -> Self:
        """Open ones whose worker is no longer believed, by the database's clock."""
        return self.open().filter(lease_until__lt=Now())


class Attempt(models.Model):
    """Open while `finished_at` is null. `number` is the task's `attempt` at its claim."""

    attempt_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker_id = models.CharField(max_length=200)  # a word, not a foreign key: the worker's row may go before this one
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, null=True, blank=True)
    error = models.TextField(null=True, blank=True)
    error_code = models.CharField(max_length=20, choices=ErrorCode, null=True, blank=True)
    traceback = models.TextField(blank=True, default="")
    execution = models.OneToOneField(TaskResult, models.SET_NULL, null=True, blank=True, related_name="attempt")

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="attempt_number_once"),
            models.UniqueConstraint(
                fields=["task"], condition=Q(finished_at__isnull=True), name="attempt_one_open_per_task"
            ),
            models.UniqueConstraint(
                fields=["worker_id"], condition=Q(finished_at__isnull=True), name="attempt_one_open_per_worker"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, outcome__isnull=True)
                | Q(finished_at__isnull=False, outcome__isnull=False, outcome__in=Outcome.values),
                name="attempt_outcome_when_finished",
            ),
        ]
        indexes = [models.Index(fields=["lease_until"], condition=Q(finished_at__isnull=True), name="attempt_expired")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.task_id}"
