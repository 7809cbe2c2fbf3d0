"""Children that die, that will not end, and that leave children of their own."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aimovie.site import supervise
from aimovie.site.supervise import Child, Supervisor
from tests.acceptance.conftest import eventually

READY = "print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"
PARENT = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); {READY}"
)
LAST_WORDS = "signal.signal(signal.SIGTERM, lambda *_: (print(time.monotonic()), sys.exit()))"
TELLING = f"import signal, sys, time; {LAST_WORDS}; {READY}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(said.append)
    yield supervisor
    supervisor.stop()


def child(tmp_path: Path, code: str, name: str = "child") -> Child:
    return Child(name, [sys.executable, "-c", code], {}, tmp_path / f"{name}.log")


def pid_of(child: Child) -> int:
    assert child.process
    return child.process.pid


def test_a_child_that_dies_is_started_again_and_reported(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    mortal = child(tmp_path, "import time; time.sleep(60)")
    supervisor.start(mortal)
    first = pid_of(mortal)
    mortal.kill()
    supervisor.check()
    assert pid_of(mortal) != first
    assert said == [f"child was killed by SIGKILL; starting it again (its log: {mortal.log})"]


def test_a_child_that_keeps_dying_is_started_again_ever_more_slowly(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    hopeless = child(tmp_path, "raise SystemExit(3)")
    supervisor.start(hopeless)
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        supervisor.check()
        time.sleep(0.02)
    assert 2 <= hopeless.deaths <= 3
    assert said[0] == f"child ended with exit code 3; starting it again (its log: {hopeless.log})"
    assert "in 1 s" in said[1]


def test_a_child_that_ignores_sigterm_is_killed(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "STOP_PATIENCE", 0.5)
    stubborn = child(tmp_path, STUBBORN)
    supervisor.start(stubborn)
    eventually(lambda: "ready" in stubborn.log.read_text())
    pid = pid_of(stubborn)
    supervisor.stop()
    assert not psutil.pid_exists(pid)


def test_grandchildren_end_too(supervisor: Supervisor, tmp_path: Path) -> None:
    parent = child(tmp_path, PARENT)
    supervisor.start(parent)
    eventually(lambda: "ready" in parent.log.read_text())
    (grandchild,) = psutil.Process(pid_of(parent)).children()
    supervisor.stop()
    eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_the_first_child_is_ended_last(supervisor: Supervisor, tmp_path: Path) -> None:
    """Redis is started first and must outlive those that talk to it."""
    children = [child(tmp_path, TELLING, name) for name in ("first", "second")]
    for one in children:
        supervisor.start(one)
        eventually(lambda one=one: "ready" in one.log.read_text())
    supervisor.stop()
    first, second = (float(one.log.read_text().split()[1]) for one in children)
    assert first > second
