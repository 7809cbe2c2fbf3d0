"""Fixtures that many tests share: a clean Redis, API clients, tasks in every status."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from redis import Redis
from rest_framework.test import APIClient

from aimovie import redis
from tasks_app import lifecycle
from tasks_app.models import ApiKey, Attempt, Task
from tasks_app.serializers import Submission
from tests import environment

IMAGE = {"prompt": "a red door", "resolution": "192x112", "num_inference_steps": 4, "seed": 7}


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A file, not memory: worker processes open the same database."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(environment.HOME / "test.sqlite3")


@pytest.fixture(autouse=True)
def store() -> Iterator[Redis]:
    """The tests' Redis, empty at the start of each, and this process ready to use it."""
    server = Redis.from_url(django_settings.REDIS_URL, decode_responses=True)
    server.flushall()
    redis._Quiet.until = 0.0
    yield server
    server.close()


@pytest.fixture
def stopped_redis(store: Redis) -> Iterator[None]:
    """No Redis, until the test starts one or ends."""
    environment.stop_redis()
    yield
    if not environment.redis_runs():
        environment.start_redis()


@pytest.fixture
def make_task(transactional_db: None) -> Callable[..., Task]:
    """Submits a picture, or whatever is asked."""

    def make(**fields: Any) -> Task:
        return lifecycle.submit(
            Submission(**{"project_id": "noir", "task_type": "image_generation", "task_data": IMAGE, **fields})
        )

    return make


@pytest.fixture
def claim_task(make_task: Callable[..., Task]) -> Callable[..., Attempt]:
    """Submits a picture and claims it."""

    def claim(worker_id: str = "gpu_medium@here-1", **fields: Any) -> Attempt:
        task = make_task(**fields)
        attempt = lifecycle.claim(worker_id, [task.queue_name])
        assert attempt is not None
        assert attempt.task_id == task.task_id
        return attempt

    return claim


@pytest.fixture
def anyone(transactional_db: None) -> APIClient:
    """A caller without a key."""
    return APIClient()


@pytest.fixture
def api(transactional_db: None) -> APIClient:
    """A caller whose key reaches every project."""
    return client_for()


def client_for(*project_ids: str) -> APIClient:
    """A caller whose key reaches these projects, or all when none is named."""
    from tasks_app.models import Project

    projects = [Project.objects.get_or_create(project_id=project_id)[0] for project_id in project_ids]
    _, secret = ApiKey.issue("test", projects=projects or None)
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=secret)
    return client


@pytest.fixture
def home() -> Path:
    return environment.HOME
