"""One attempt, from claim to finish. Read `run`: that is the whole life of a task on a worker."""

import logging
import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock, Timer
from time import monotonic

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from media_app import publish
from tasks_app import lifecycle, progress
from tasks_app.models import Attempt, ErrorCode, Outcome
from workers_app import engines, executions, heartbeat, inputs
from workers_app.engines.base import Artifact, EngineError, Step
from workers_app.models import Worker
from workers_app.patience import DATABASE_AWAY, GivenUp, until_answered

log = logging.getLogger(__name__)

EXIT_TIMED_OUT = 70
LAST_WORDS_SECONDS = 30

SHARES = {
    "fetching": (0.00, 0.02),
    "loading": (0.02, 0.10),
    "denoising": (0.10, 0.90),
    "speaking": (0.10, 0.90),
    "decoding": (0.90, 0.93),
    "encoding": (0.93, 0.97),
    "storing": (0.97, 0.99),
}
"""Which part of 0.0 to 1.0 each phase fills."""


class Stopped(Exception):
    """This worker was told to stop."""


@dataclass
class Desk:
    """A worker at its work: which lines it serves, what it has in hand, whether it was told to stop."""

    worker: Worker
    queue_names: list[str]
    stopping: Event = field(default_factory=Event)
    running: Attempt | None = None


def run_next(desk: Desk) -> bool:
    """Claim the first task of the desk's lines and run it; False when nothing waits."""
    attempt = lifecycle.claim(desk.worker.worker_id, desk.queue_names)
    if attempt is None:
        return False
    desk.running = attempt
    log.info("%s begins: %s for %s", attempt, attempt.task.task_type, attempt.task.project_id)
    told = _Steps(attempt, desk.stopping)
    try:
        until_answered(partial(heartbeat.busy, desk.worker, attempt), wait=told.pause)
        run(attempt, told)
        until_answered(partial(_finish, desk.worker, attempt), wait=told.pause)
    except Stopped:
        log.info("%s is left to its lease: this worker stops, and the database is away", attempt)
    finally:
        desk.running = None
    return True


def run(attempt: Attempt, told: "_Steps") -> None:
    """Fetch, generate, store, complete; whatever goes wrong ends in one verb of the lifecycle."""
    stored: list[publish.Stored] = []
    try:
        with _folder(attempt) as folder:
            for artifact in _generate(attempt, folder, told):
                stored.append(until_answered(partial(_store, attempt, artifact, told), wait=told.pause))
        until_answered(partial(lifecycle.complete, attempt, partial(publish.record, stored)), wait=told.pause)
    except lifecycle.Refused as refusal:
        log.info("%s ends here: %s", attempt, refusal)
    except Stopped:
        log.info("%s is given back: this worker stops", attempt)
        with suppress(lifecycle.Refused, *DATABASE_AWAY):  # without the row, the lease runs out a minute later
            lifecycle.release(attempt)
    except (EngineError, GivenUp) as error:
        code = error.error_code if isinstance(error, EngineError) else ErrorCode.STORAGE_UNAVAILABLE
        log.warning("%s failed: %s", attempt, error, exc_info=error.__cause__)
        _fail(attempt, told, code, str(error), traceback=traceback.format_exc())
    except Exception as error:
        log.exception("%s failed", attempt)
        words = f"The attempt failed with {type(error).__name__}; its traceback is in the admin."
        _fail(attempt, told, ErrorCode.INTERNAL, words, traceback=traceback.format_exc())
    publish.discard(stored)


def _generate(attempt: Attempt, folder: Path, told: "_Steps") -> list[Artifact]:
    with _deadline(attempt):
        kind, request = inputs.request_of(attempt, folder, told)
        return engines.engine(kind).generate(request, told)


def _store(attempt: Attempt, artifact: Artifact, told: "_Steps") -> publish.Stored:
    """Also when told to stop: what is made is uploaded, if the storage takes it at once."""
    told.tell(Step("storing"))
    return publish.store(attempt, artifact.path, facts=artifact.facts, generation=artifact.generation)


def _fail(attempt: Attempt, told: "_Steps", error_code: str, error: str, *, traceback: str = "") -> None:
    """Where the task was cancelled or taken over in the meantime, there is nothing to fail."""
    with suppress(lifecycle.Refused):
        until_answered(partial(lifecycle.fail, attempt, error_code, error, traceback=traceback), wait=told.pause)


def _finish(worker: Worker, attempt: Attempt) -> None:
    executions.record(attempt)
    attempt.refresh_from_db()
    log.info("%s: %s after %.1f s", attempt, attempt.outcome, (timezone.now() - attempt.started_at).total_seconds())
    heartbeat.idle(worker, completed=int(attempt.outcome == Outcome.COMPLETED))


class _Steps:
    """What an engine calls at each of its boundaries: records the progress, and ends what should not go on."""

    def __init__(self, attempt: Attempt, stopping: Event) -> None:
        self.attempt, self.stopping = attempt, stopping
        self.phase, self.told_at = "", 0.0

    def __call__(self, step: Step) -> None:
        if self.stopping.is_set():
            raise Stopped
        if self._is_worth_telling(step):
            self.phase, self.told_at = step.phase, monotonic()
            self.tell(step)

    def pause(self, seconds: float) -> None:
        """Wait until something that is away is asked again; but not when this worker is to stop."""
        if self.stopping.wait(seconds):
            raise Stopped

    def _is_worth_telling(self, step: Step) -> bool:
        """Each denoising step, since a cancel must be noticed within one; of frames and sentences ten a second."""
        return step.phase == "denoising" or step.phase != self.phase or monotonic() - self.told_at > 0.1

    def tell(self, step: Step) -> None:
        low, high = SHARES.get(step.phase, (0.0, 0.0))
        words = f"{step.phase} {step.done}/{step.total}" if step.total > 1 else step.phase
        try:
            task = lifecycle.advance(self.attempt, low + (high - low) * step.done / max(1, step.total), words)
        except DATABASE_AWAY as error:
            log.warning("going on without the database: %s", error)  # hours of work outlive its absence
            close_old_connections()
            return
        progress.write(task, phase=step.phase, done=step.done, total=step.total)


@contextmanager
def _folder(attempt: Attempt) -> Iterator[Path]:
    """A folder for the files of one attempt, gone with it."""
    folder: Path = settings.WORK_FOLDER / str(attempt.attempt_id)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _deadline(attempt: Attempt) -> Iterator[None]:
    """Ends this process if the model is stuck: no thread can be stopped from outside. The task goes back in line."""
    limit = settings.TIME_LIMITS[attempt.task.task_type]
    door, over = Lock(), Event()

    def expire() -> None:
        with door:  # a generation that ends at this very moment waits here, and does not go on to a claim
            if not over.is_set():
                _time_out(attempt, limit)

    timer = Timer(limit, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with door:
            over.set()


def _time_out(attempt: Attempt, limit: float) -> None:
    log.critical("%s is past its limit of %.0f s; this worker ends itself", attempt, limit)
    last = Timer(LAST_WORDS_SECONDS, os._exit, [EXIT_TIMED_OUT])  # also when the database does not answer
    last.daemon = True
    last.start()
    with suppress(DatabaseError, lifecycle.Refused):
        lifecycle.fail(attempt, ErrorCode.TIMED_OUT, f"It took longer than its limit of {limit:.0f} seconds.")
        executions.record(attempt)
    os._exit(EXIT_TIMED_OUT)
