"""Real worker and web processes on the tests' database and Redis; each is ended by its own id, whatever happened."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest
from django.conf import settings as django_settings
from django.db import connection

from aimovie.site.local import free_port
from tasks_app.models import ApiKey, Attempt, Task
from tests import environment
from workers_app.models import Worker

QUICK = "image=tests.engines.QuickEngine,video=tests.engines.QuickEngine,speech=tests.engines.EngineOfTone"


def eventually(true: Callable[[], Any], seconds: float = 30, why: str = "") -> Any:
    """What `true` answers once it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < deadline, why or "this never came true"
        time.sleep(0.02)
    return answer


def database_url() -> str:
    """Where the tests' own database is: the configured server, and the name that Django gave it there."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def somebody_holds_a_lock() -> bool:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'")
            return bool(cursor.fetchone()[0])
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2, isolation_level=None)) as probe:
        try:
            probe.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


@dataclass
class Process:
    """One process of ours."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(10)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.popen.terminate()
        return self.popen.wait(20)

    def freeze(self) -> None:
        """SIGSTOP, at a moment when it holds no lock of the database: SQLite's one write lock would freeze us all."""
        os.kill(self.pid, signal.SIGSTOP)
        while somebody_holds_a_lock():
            self.thaw()
            time.sleep(0.03)
            os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def start(transactional_db: None) -> Iterator[Callable[..., Process]]:
    """Starts a command in the tests' environment; `env` adds to it."""
    started: list[Process] = []

    def start(name: str, command: list[str], **env: str) -> Process:
        log = environment.HOME / f"{name}-{len(started)}.log"
        with log.open("wb") as file:
            popen = subprocess.Popen(
                command, env={**os.environ, "DATABASE_URL": database_url(), **env}, stdin=subprocess.DEVNULL,
                stdout=file, stderr=file, cwd=django_settings.BASE_DIR,
            )  # fmt: skip
        started.append(Process(popen, log))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.kill()


@pytest.fixture
def worker(start: Callable[..., Process], engine_log: Path) -> Callable[..., Process]:
    """Starts a worker of one queue and waits until it may claim."""

    def worker(queue_name: str = "gpu_medium", *flags: str, ready: bool = True, **env: str) -> Process:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "aimovie",
            "worker",
            "-Q",
            queue_name,
            "-n",
            f"{queue_name}@%h",
            *flags,
        ]
        process = start(queue_name, command, **{"ENGINES": QUICK, "ENGINE_LOG": str(engine_log), **env})
        if ready:
            eventually(lambda: is_ready(process), why=f"the worker did not start: {process.log.read_text()[-3000:]}")
        return process

    return worker


def is_ready(process: Process) -> bool:
    assert process.popen.poll() is None, process.log.read_text()[-3000:]
    return Worker.objects.filter(pid=process.pid, state__in=["idle", "busy"]).exists()


@pytest.fixture
def engine_log(tmp_path: Path) -> Path:
    """Where the tests' engines say what they did."""
    return tmp_path / "engines.jsonl"


@dataclass
class EngineLog:
    path: Path

    def of(self, event: str, task: Task | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        return [line for line in lines if line["event"] == event and (task is None or line["task"] == str(task.pk))]


@pytest.fixture
def engines(engine_log: Path) -> EngineLog:
    return EngineLog(engine_log)


@pytest.fixture
def service(start: Callable[..., Process]) -> Iterator[httpx2.Client]:
    """The API over real HTTP, with a key that reaches every project."""
    port = free_port()
    start(
        "web",
        [
            sys.executable,
            "-m",
            "gunicorn",
            "aimovie.site.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--threads",
            "4",
            "--no-control-socket",
        ],
    )
    _, secret = ApiKey.issue("test")
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers={"X-API-Key": secret}, timeout=20) as client:
        eventually(lambda: _answers(client))
        yield client


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/ready").is_success
    except httpx2.HTTPError:
        return False


def recorded(task: Task) -> Attempt:
    """The task's latest attempt, once its execution record is written: a moment after its end."""
    rows = Attempt.objects.filter(task=task).select_related("execution").order_by("-number")
    return cast(Attempt, eventually(lambda: attempt if (attempt := rows[0]).execution else None))


def status_of(task: Task) -> str:
    return Task.objects.values_list("status", flat=True).get(pk=task.pk)


def finished(*tasks: Task, seconds: float = 40) -> list[Task]:
    """The tasks, once all are finished."""
    ids = [task.pk for task in tasks]
    eventually(
        lambda: not Task.objects.filter(pk__in=ids, status__in=["queued", "processing"]).exists(),
        seconds,
        "tasks did not finish",
    )
    return [Task.objects.get(pk=task_id) for task_id in ids]
