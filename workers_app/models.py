"""A worker process, as it last described itself."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks_app.queues import NAMES


class State(models.TextChoices):
    ACTIVE = "active"  # started, or stopping
    IDLE = "idle"  # may claim
    BUSY = "busy"  # runs a task
    OFFLINE = "offline"  # not heard of


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        return self.exclude(state=State.OFFLINE).filter(last_heartbeat__gt=timezone.now() - settings.OFFLINE_AFTER)


class Worker(models.Model):
    """One process. `worker_id` is made anew at each start, so that a fence never meets its predecessor."""

    worker_id = models.CharField(primary_key=True, max_length=100)
    worker_type = models.CharField(max_length=20, choices=[(name, name) for name in NAMES])
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    queue_names = models.JSONField(default=list)
    current_task_id = models.UUIDField(null=True, blank=True)
    gpu_utilization = models.FloatField(default=0.0)
    gpu_memory = models.PositiveBigIntegerField(null=True, blank=True)
    memory_usage = models.PositiveBigIntegerField(default=0)
    tasks_completed = models.PositiveIntegerField(default=0)
    warm_models = models.JSONField(default=list)
    hostname = models.CharField(max_length=255, default="")
    pid = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    last_heartbeat = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["worker_id"]
        constraints = [
            models.CheckConstraint(condition=Q(worker_type__in=NAMES), name="worker_type_known"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="worker_state_known"),
            models.CheckConstraint(
                condition=Q(gpu_utilization__gte=0.0, gpu_utilization__lte=1.0), name="worker_gpu_utilization_0_to_1"
            ),
            models.CheckConstraint(
                condition=Q(state="busy", current_task_id__isnull=False)
                | (~Q(state="busy") & Q(current_task_id__isnull=True)),
                name="worker_current_task_when_busy",
            ),
        ]

    def __str__(self) -> str:
        return self.worker_id

    @property
    def status(self) -> str:
        """The state, unless nothing was heard for `OFFLINE_AFTER`."""
        silent = timezone.now() - self.last_heartbeat > settings.OFFLINE_AFTER
        return State.OFFLINE if silent else State(self.state)
