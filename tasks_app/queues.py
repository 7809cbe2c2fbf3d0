"""The waiting lines: their names, who stands where, and the bell that wakes a worker."""

from dataclasses import dataclass

from django.db.models import Count, Q, Sum
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
    """The place of a task in its line, counted in the rows; None unless it is queued."""
    if task.status != "queued":
        return None
    before = Q(priority__lt=task.priority) | Q(priority=task.priority, task_id__lt=task.task_id)
    ahead = (
        Task.objects.in_line(task.queue_name)
        .filter(before)
        .order_by()
        .aggregate(n=Count("*"), work=Sum("estimated_duration"))
    )
    running = Task.objects.filter(queue_name=task.queue_name, status="processing").count()
    return Place(position=ahead["n"] + 1, wait=round((ahead["work"] or 0) / max(1, running)))


def ring(queue_name: str) -> None:
    """Send one bell to the queue's workers, unless as many wait as there are workers. A lost bell costs seconds."""
    try:
        with redis.connection() as connection:
            if connection.llen(redis.bells(queue_name)) > connection.scard(redis.WORKERS_ACTIVE):
                return
        app.send_task(BELL, args=[queue_name], queue=queue_name, retry=False)
    except (redis.Away, OperationalError):
        return
