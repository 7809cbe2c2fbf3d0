"""The connection to Redis, and every Redis key that we write.

The data model's keys are exact; our own stand under `aimovie:`. Celery's lists are `celery:queue:{queue_name}`.
Redis holds copies and hints only, so its absence costs time and nothing else: callers suppress `Away`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

QUIET_SECONDS = 2.0
"""For so long a process leaves Redis alone after a failure: a frozen one must not slow every request."""

PROGRESS_TTL = 3600
WORKER_TTL = 300


class Away(Exception):
    """Redis did not answer, or failed a moment ago."""


class _Quiet:
    until = 0.0


@cache
def _client() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=2,
        socket_connect_timeout=2,
        # Once more on a fresh connection: the pooled one may be of a server since restarted. Not after a timeout: a
        # frozen server would cost twice the time.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


@contextmanager
def connection() -> Iterator[Redis]:
    """A connection for one exchange.

    Raises:
        Away: Redis did not answer now, or within the last `QUIET_SECONDS`.
    """
    if time.monotonic() < _Quiet.until:
        raise Away
    try:
        yield _client()
    except RedisError as error:
        _Quiet.until = time.monotonic() + QUIET_SECONDS
        raise Away from error


def is_up() -> bool:
    """Whether Redis answers a ping right now, quiet time or not."""
    try:
        return bool(_client().ping())
    except RedisError:
        return False


# --- The data model's keys -----------------------------------------------------------------------------------------


def task(task_id: object) -> str:
    return f"tasks:{task_id}"


def tasks_by_project(project_id: str) -> str:
    return f"tasks:by_project:{project_id}"


def tasks_by_status(status: str) -> str:
    return f"tasks:by_status:{status}"


def project(project_id: str) -> str:
    return f"projects:{project_id}"


PROJECTS_ACTIVE = "projects:active"


def worker(worker_id: str) -> str:
    return f"workers:{worker_id}"


WORKERS_ACTIVE = "workers:active"


def progress(task_id: object) -> str:
    return f"progress:{task_id}"


def bells(queue_name: str) -> str:
    """Celery's own list of a queue."""
    return f"celery:queue:{queue_name}"


# --- Our own -------------------------------------------------------------------------------------------------------

MIRROR_COMPLETE = "aimovie:mirror:complete"
"""Stands while every row that the mirror lacks knows it; gone after a flush, which is how upkeep sees one."""

MIRROR_REBUILDING = "aimovie:mirror:rebuilding"
"""One worker at a time calls all rows unmirrored."""
