"""That a worker lives, what it does, and the lease of what it runs: said again every few seconds."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from aimovie import redis
from tasks_app import progress
from tasks_app.models import Attempt
from workers_app import gpu
from workers_app.models import State, Worker
from workers_app.serializers import WorkerSerializer


def beat(worker: Worker, running: Attempt | None, warm_models: tuple[str, ...]) -> None:
    """One heartbeat: the row, the lease of what really runs (by the database's clock), the mirror.

    Raises:
        DatabaseError: the database is away; the next beat tries again.
    """
    load = gpu.load()
    worker.last_heartbeat = timezone.now()
    worker.memory_usage, worker.gpu_utilization, worker.gpu_memory = (
        load.memory_usage,
        load.gpu_utilization,
        load.gpu_memory,
    )
    worker.warm_models = list(warm_models)
    worker.save(update_fields=["last_heartbeat", "memory_usage", "gpu_utilization", "gpu_memory", "warm_models"])
    if running:
        Attempt.objects.open().filter(pk=running.pk).update(lease_until=Now() + settings.LEASE)
    mirror(worker)


def busy(worker: Worker, attempt: Attempt) -> None:
    """This worker has begun an attempt."""
    _set(worker, State.BUSY, attempt)


def idle(worker: Worker, *, completed: int = 0) -> None:
    """This worker may claim again; `completed` tasks more than before."""
    worker.tasks_completed += completed
    _set(worker, State.IDLE, None, tasks_completed=F("tasks_completed") + completed)


def gone(worker: Worker) -> None:
    """This worker has stopped; its row stays for a while, its key goes at once."""
    _set(worker, State.OFFLINE, None)
    with suppress(redis.Away), redis.connection() as connection:
        connection.delete(redis.worker(worker.worker_id))
        connection.srem(redis.WORKERS_ACTIVE, worker.worker_id)


def prune() -> int:
    """Forget workers long silent, and take those whose keys expired out of the set of active ones."""
    with suppress(redis.Away), redis.connection() as connection:
        for worker_id in map(str, connection.smembers(redis.WORKERS_ACTIVE)):  # as many as there are workers
            if not connection.exists(redis.worker(worker_id)):
                connection.srem(redis.WORKERS_ACTIVE, worker_id)
    limit = timezone.now() - timedelta(days=settings.WORKER_ROWS_DAYS)
    return Worker.objects.filter(last_heartbeat__lt=limit).delete()[0]


def mirror(worker: Worker) -> None:
    """`workers:{worker_id}`, expiring five minutes after the last beat, and the hour of what it runs."""
    body: str = JSONRenderer().render(WorkerSerializer(worker).data).decode()
    with suppress(redis.Away), redis.connection() as connection:
        connection.set(redis.worker(worker.worker_id), body, ex=redis.WORKER_TTL)
        connection.sadd(redis.WORKERS_ACTIVE, worker.worker_id)
    if worker.current_task_id:
        progress.keep(worker.current_task_id)


def _set(worker: Worker, state: State, attempt: Attempt | None, **more: Any) -> None:
    worker.state, worker.current_task_id = state, attempt.task_id if attempt else None
    worker.last_heartbeat = timezone.now()
    Worker.objects.filter(pk=worker.pk).update(
        state=state, current_task_id=worker.current_task_id, last_heartbeat=worker.last_heartbeat, **more
    )
    mirror(worker)
