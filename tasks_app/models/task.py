"""A row that a client submitted."""

from typing import TYPE_CHECKING, Self

import uuid6
from django.db import models
from django.db.models import F, Q

from tasks_app.models.mirrored import Mirrored, MirroredQuerySet
from tasks_app.models.project import Project

if TYPE_CHECKING:
    from tasks_app.models.api_key import ApiKey


class TaskType(models.TextChoices):
    VIDEO = "video_generation"
    IMAGE = "image_generation"
    AUDIO = "audio_synthesis"


class Status(models.TextChoices):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(models.IntegerChoices):
    HIGH = 1
    NORMAL = 2
    LOW = 3


class ErrorCode(models.TextChoices):
    INVALID_INPUT = "invalid_input"
    INPUT_UNAVAILABLE = "input_unavailable"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL = "internal"


FINISHED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class TaskQuerySet(MirroredQuerySet["Task"]):
    def queued(self) -> Self:
        return self.filter(status=Status.QUEUED)

    def in_line(self, *queue_names: str) -> Self:
        """The waiting tasks of these queues, the next one first: by priority, then by age."""
        return self.queued().filter(queue_name__in=queue_names).order_by("priority", "task_id")

    def reached_by(self, key: "ApiKey") -> Self:
        """The tasks that exist for an API key."""
        return self if key.all_projects else self.filter(project__in=key.projects.all())


def new_task_id() -> uuid6.UUID:
    """A version 7 UUID: unique, and in order of creation."""
    return uuid6.uuid7()


class Task(Mirrored):
    """What a client asked for. Its status is written by `tasks_app.lifecycle` alone."""

    task_id = models.UUIDField(primary_key=True, default=new_task_id, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="tasks")
    task_type = models.CharField(max_length=20, choices=TaskType)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    task_data = models.JSONField()
    progress = models.FloatField(default=0.0)
    current_step = models.CharField(max_length=200, blank=True, default="")
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(null=True, blank=True)
    error_code = models.CharField(max_length=20, choices=ErrorCode, null=True, blank=True)
    callback_url = models.CharField(max_length=2000, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    estimated_duration = models.PositiveIntegerField()
    queue_name = models.CharField(max_length=100)
    attempt = models.PositiveIntegerField(default=0)  # counts up at every claim and never back: the fence
    tries = models.PositiveIntegerField(default=0)  # attempts of this round; a person's retry starts a new one

    objects = TaskQuerySet.as_manager()

    class Meta(Mirrored.Meta):
        indexes = [
            *Mirrored.Meta.indexes,
            # The line: the claim's first row, and the count of those ahead.
            models.Index(fields=["queue_name", "priority", "task_id"], condition=Q(status="queued"), name="task_line"),
            # How many a queue runs, for the wait of those in line.
            models.Index(fields=["queue_name"], condition=Q(status="processing"), name="task_running"),
            # GET /projects/{id}/tasks, newest first, with and without its filters.
            models.Index(fields=["project", "-task_id"], name="task_by_project"),
            models.Index(fields=["project", "status", "-task_id"], name="task_by_project_status"),
            # The history that estimates are made from.
            models.Index(fields=["task_type", "-completed_at"], condition=Q(status="completed"), name="task_history"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="task_status_known"),
            models.CheckConstraint(condition=Q(task_type__in=TaskType.values), name="task_type_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="task_priority_1_2_3"),
            models.CheckConstraint(condition=Q(progress__gte=0.0, progress__lte=1.0), name="task_progress_0_to_1"),
            models.CheckConstraint(
                condition=Q(status="completed", progress=1.0) | (~Q(status="completed") & Q(progress__lt=1.0)),
                name="task_progress_1_exactly_when_completed",
            ),
            models.CheckConstraint(
                condition=Q(callback_url__isnull=True) | Q(callback_url__iregex=r"^https?://[^/?#\s]\S*\Z"),
                name="task_callback_url_http",
            ),
            models.CheckConstraint(
                condition=Q(status__in=FINISHED, completed_at__isnull=False)
                | (~Q(status__in=FINISHED) & Q(completed_at__isnull=True)),
                name="task_completed_at_when_finished",
            ),
            models.CheckConstraint(
                condition=~Q(status="processing") | Q(started_at__isnull=False), name="task_started_at_when_processing"
            ),
            models.CheckConstraint(
                condition=Q(
                    # A CHECK that comes out NULL passes, so "not null" must be said.
                    status="failed",
                    error__isnull=False,
                    error_code__isnull=False,
                    error_code__in=ErrorCode.values,
                )
                | (~Q(status="failed") & Q(error__isnull=True, error_code__isnull=True)),
                name="task_error_when_failed",
            ),
            models.CheckConstraint(condition=Q(mirrored__lte=F("revision")), name="task_mirrored_not_ahead"),
        ]

    def __str__(self) -> str:
        return f"{self.task_type} {self.task_id}"

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED
