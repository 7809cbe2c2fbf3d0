"""`manage.py up` and `manage.py demo`: the embedded stack starts, restarts what dies, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest
from django.conf import settings as django_settings

from aimovie.site.local import free_port
from tests.acceptance.conftest import QUICK, eventually

OURS = (
    "DATABASE_URL",
    "REDIS_URL",
    "AIMOVIE_HOME",
    "SECRET_KEY",
    "PUBLIC_URL",
    "LEASE_SECONDS",
    "HEARTBEAT_SECONDS",
    "LOOK_SECONDS",
)


def fresh_environment(home: Path, **more: str) -> dict[str, str]:
    """Ours without what the other tests set: what a stranger has."""
    return {
        **{name: value for name, value in os.environ.items() if name not in OURS},
        "AIMOVIE_HOME": str(home),
        **more,
    }


@dataclass
class Up:
    popen: subprocess.Popen[str]
    home: Path
    port: int
    key: str = ""

    @property
    def api(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", headers={"X-API-Key": self.key}, timeout=20
        )

    @property
    def said(self) -> str:
        return (self.home / "said").read_text()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def interrupt(self, *, again_after: float | None = None) -> None:
        """Ctrl-C; every process that was its own must be gone."""
        processes = self.children()
        self.popen.send_signal(signal.SIGINT)
        if again_after:
            time.sleep(again_after)
            self.popen.send_signal(signal.SIGINT)
        self.popen.wait(40)
        assert not [process for process in processes if process.is_running()]


@pytest.fixture
def up() -> Iterator[Callable[..., Up]]:
    """Starts `manage.py up` in a home of its own."""
    started: list[Up] = []
    with tempfile.TemporaryDirectory(prefix="aim-", dir="/tmp") as folder:

        def start(name: str = "a", key: str = "") -> Up:
            home = Path(folder) / name
            home.mkdir(exist_ok=True)
            env = fresh_environment(home, ENGINES=QUICK, PORT=str(free_port()))
            with (home / "said").open("w") as said:
                popen = subprocess.Popen(
                    [sys.executable, "manage.py", "up"], env=env, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
                    cwd=django_settings.BASE_DIR, text=True,
                )  # fmt: skip
            stack = Up(popen, home, int(env["PORT"]), key)
            started.append(stack)
            eventually(lambda: "Ctrl-C stops it" in stack.said or popen.poll() is not None, 60)
            assert popen.poll() is None, stack.said
            found = re.search(r"API key, shown once: (\S+)", stack.said)
            stack.key = found[1] if found else key
            return stack

        yield start
        for stack in started:
            if stack.popen.poll() is None:
                stack.popen.terminate()
                stack.popen.wait(40)


def submit(stack: Up) -> str:
    task_data = {"prompt": "x", "resolution": "64x64"}
    body = {"project_id": "noir", "task_type": "image_generation", "task_data": task_data}
    task_id: str = stack.api.post("/tasks/submit", json=body).raise_for_status().json()["task_id"]
    return task_id


def is_completed(stack: Up, task_id: str) -> bool:
    return bool(stack.api.get(f"/tasks/{task_id}/status").json()["status"] == "completed")


def test_two_stacks_run_side_by_side_and_leave_nothing_behind(up: Callable[..., Up]) -> None:
    one, two = up("one"), up("two")
    ours, theirs = submit(one), submit(two)
    eventually(lambda: is_completed(one, ours) and is_completed(two, theirs))
    assert one.api.get(f"/tasks/{theirs}").status_code == 404
    assert "Admin login, shown once: admin / " in one.said
    assert one.api.get("/health").json()["status"] == "healthy"
    for stack in (one, two):
        stack.interrupt()
        assert not (stack.home / "redis.sock").exists()


def test_a_child_that_dies_is_reported_and_started_again(up: Callable[..., Up]) -> None:
    stack = up()
    eventually(lambda: stack.api.get("/workers/status").json()["active_workers"] == 3)
    victim = next(child for child in stack.children() if "gpu_medium" in " ".join(child.cmdline()))
    victim.kill()
    eventually(lambda: "gpu_medium-1 was killed by SIGKILL; starting it again" in stack.said)
    task_id = submit(stack)
    eventually(lambda: is_completed(stack, task_id))


def test_what_was_queued_goes_on_at_the_next_start_and_secrets_are_shown_once(up: Callable[..., Up]) -> None:
    stack = up()
    for child in stack.children():  # nobody is left to do the work, nor to end when asked
        if "celery" in " ".join(child.cmdline()):
            child.suspend()
    task_id = submit(stack)
    assert not is_completed(stack, task_id)
    stack.interrupt(again_after=1)  # an impatient second Ctrl-C leaves nothing behind either
    again = up(key=stack.key)
    assert "shown once" not in again.said
    eventually(lambda: is_completed(again, task_id))
    # The three that could not say goodbye are shown offline before long, the three new ones beat on.
    eventually(lambda: again.api.get("/workers/status").json()["active_workers"] == 3, 40)


def test_a_second_stack_in_the_same_home_is_refused_in_words(up: Callable[..., Up]) -> None:
    stack = up()
    env = fresh_environment(stack.home, PORT=str(free_port()))
    second = subprocess.run(
        [sys.executable, "manage.py", "up"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "set AIMOVIE_HOME to another folder" in second.stderr


def test_a_taken_port_is_refused_in_words(up: Callable[..., Up], tmp_path: Path) -> None:
    stack = up()
    env = fresh_environment(stack.home.parent / "other", PORT=str(stack.port))
    second = subprocess.run(
        [sys.executable, "manage.py", "up"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "choose another HOST or PORT" in second.stderr


def refusal(home: Path, *flags: str) -> str:
    command = [sys.executable, "manage.py", "up", "--home", str(home), *flags]
    env = fresh_environment(home)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_an_address_whose_media_urls_could_not_be_recorded_is_refused(short_home: Path) -> None:
    assert "set PUBLIC_URL=https://" in refusal(short_home, "--host", "192.0.2.7")


def test_a_port_that_is_none_is_refused(short_home: Path) -> None:
    assert "PORT must be 1 to 65535" in refusal(short_home, "--port", "70000")


def test_what_is_kept_is_for_its_owner_alone(up: Callable[..., Up]) -> None:
    stack = up()
    kept = [path for path in stack.home.rglob("*") if path.is_file() and path.name != "said"]
    assert not [path for path in kept if path.stat().st_mode & 0o077]


def run_demo(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo"], env=fresh_environment(home), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=django_settings.BASE_DIR, text=True,
    )  # fmt: skip


@pytest.fixture
def short_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aim-", dir="/tmp") as folder:
        yield Path(folder)


def test_the_demo_makes_all_three_and_ends_what_it_started(short_home: Path) -> None:
    demo = run_demo(short_home)
    processes: set[psutil.Process] = set()
    while demo.poll() is None:
        processes.update(psutil.Process(demo.pid).children(recursive=True) if psutil.pid_exists(demo.pid) else [])
        time.sleep(0.3)
    said = demo.stdout.read() if demo.stdout else ""
    assert demo.returncode == 0, said
    assert "All three completed and decode" in said
    assert len(list((short_home / "media" / "projects").rglob("output.*"))) == 3
    assert len(processes) >= 5
    assert not [process for process in processes if process.is_running()]


def test_the_demo_ends_what_it_started_on_ctrl_c_too(short_home: Path) -> None:
    demo = run_demo(short_home)
    eventually(lambda: len(psutil.Process(demo.pid).children(recursive=True)) >= 5, 60)
    processes = psutil.Process(demo.pid).children(recursive=True)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(40) == 130
    assert not [process for process in processes if process.is_running()]
