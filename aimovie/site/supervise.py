"""Child processes: started, watched, started again when they die, and all ended at the end."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

GOOD_LIFE = 60.0
"""Seconds after which a child's earlier deaths are forgiven."""

STOP_PATIENCE = 15.0
"""Seconds that a child has to end by itself: a worker gives its task back at the next step."""


@dataclass
class Child:
    """A process in a session of its own, so that a Ctrl-C in the terminal reaches us alone and we end it in order."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0

    def start(self) -> None:
        self.started_at = monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command, env=dict(self.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl, no lock taken
            )  # fmt: skip

    @property
    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def signal(self, number: int) -> None:
        """To the process alone: gunicorn and Celery pass it on to what they started."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """The process and all that it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Keeps its children alive. `report` hears one sentence about each death."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report
        self.children: list[Child] = []

    def start(self, child: Child) -> None:
        child.start()
        self.children.append(child)

    def check(self) -> None:
        """Start again what died: at once the first time, then after 1, 2, 4 ... 30 s."""
        for child in self.children:
            if child.exit_code is None:
                continue
            if not child.restart_at:
                self._plan(child)
            if monotonic() >= child.restart_at:
                child.restart_at = 0.0
                child.start()

    def _plan(self, child: Child) -> None:
        if monotonic() - child.started_at > GOOD_LIFE:
            child.deaths = 0
        pause = min(30.0, 2.0 ** (child.deaths - 1)) if child.deaths else 0.0
        child.deaths += 1
        child.restart_at = monotonic() + pause
        how = _how_it_ended(child.exit_code or 0)
        self.report(
            f"{child.name} {how}; starting it again{f' in {pause:.0f} s' if pause else ''} (its log: {child.log})"
        )

    def stop(self) -> None:
        """End them all, the last started first, and the first (which the others talk to) when they are gone."""
        with _undisturbed():
            _end(self.children[1:])
            _end(self.children[:1])
        self.children.clear()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """An impatient second Ctrl-C must not leave half of them running; the wait is bounded anyway."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(children: list[Child]) -> None:
    for child in reversed(children):
        child.signal(signal.SIGTERM)
    deadline = monotonic() + STOP_PATIENCE
    while monotonic() < deadline and any(child.exit_code is None for child in children):
        sleep(0.05)
    for child in children:
        child.kill()


def _how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _die_with_parent() -> None:
    """On Linux, a SIGTERM when we are killed and can end nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
