"""The waiting lines: their names, who stands where, and the bell that wakes a worker."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Aggregate, Count, OuterRef, Q, Subquery, Sum
from kombu.exceptions import OperationalError

from aimovie import redis
from aimovie.celery import app
from tasks_app.models import Task, TaskType

GPU_HEAVY, GPU_MEDIUM, CPU_INTENSIVE = "gpu_heavy", "gpu_medium", "cpu_intensive"
NAMES = (GPU_HEAVY, GPU_MEDIUM, CPU_INTENSIVE)
"""The heaviest first."""

OF_TYPE = {TaskType.VIDEO: GPU_HEAVY, TaskType.IMAGE: GPU_MEDIUM, TaskType.AUDIO: CPU_INTENSIVE}

BELL = "workers_app.tasks.look"


def route(task_type: str) -> str:
    """The queue that a task of this type waits in."""
    return OF_TYPE[TaskType(task_type)]


@dataclass(frozen=True)
class Place:
    """Where a queued task stands: 1 is next. `wait` in seconds."""

    position: int
    wait: int

    @property
    def in_words(self) -> str:
        return "next in line" if self.position == 1 else f"{self.position - 1} ahead in line"


def place(task: Task) -> Place | None:
    """The place of a task in its line; None unless it is queued."""
    return places([task]).get(task.task_id)


def places(tasks: Iterable[Task]) -> dict[UUID, Place]:
    """The places of those of these tasks that are queued, counted in the rows: two queries for any number of them."""
    queued = [task.task_id for task in tasks if task.status == "queued"]
    if not queued:
        return {}
    rows = (
        Task.objects.queued()
        .filter(pk__in=queued)
        .annotate(ahead=_ahead(Count("*")), work=_ahead(Sum("estimated_duration")))
    )
    running = dict(Task.objects.filter(status="processing").values_list("queue_name").annotate(n=Count("*")).order_by())
    return {
        task_id: Place(position=(ahead or 0) + 1, wait=round((work or 0) / running.get(queue_name, 1)))
        for task_id, queue_name, ahead, work in rows.values_list("task_id", "queue_name", "ahead", "work")
    }


def _ahead(aggregate: Aggregate) -> Subquery:
    """An aggregate over those before a task in its line."""
    before = Q(priority__lt=OuterRef("priority")) | Q(priority=OuterRef("priority"), task_id__lt=OuterRef("task_id"))
    line = Task.objects.queued().filter(before, queue_name=OuterRef("queue_name")).order_by().values("queue_name")
    return Subquery(line.annotate(value=aggregate).values("value"))


def ring(queue_name: str) -> None:
    """Send one bell to the queue's workers, unless as many wait as there are workers. A lost bell costs seconds."""
    try:
        with redis.connection() as connection:
            if connection.llen(redis.bells(queue_name)) > connection.scard(redis.WORKERS_ACTIVE):
                return
        app.send_task(BELL, args=[queue_name], queue=queue_name, retry=False)
    except (redis.Away, OperationalError):
        return
