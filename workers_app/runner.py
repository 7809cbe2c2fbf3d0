"""One attempt, from claim to finish. Read `run`: that is the whole life of a task on a worker."""

import logging
import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Timer
from time import monotonic

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections

from media_app import publish
from tasks_app import lifecycle, progress
from tasks_app.models import Attempt, ErrorCode, Outcome
from workers_app import engines, executions, heartbeat, inputs
from workers_app.engines.base import Artifact, EngineError, Step
from workers_app.models import Worker
from workers_app.patience import DATABASE_AWAY, GivenUp, until_answered

log = logging.getLogger(__name__)

EXIT_TIMED_OUT = 70

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
    try:
        until_answered(partial(heartbeat.busy, desk.worker, attempt))
        run(attempt, desk.stopping)
        until_answered(partial(executions.record, attempt))
    finally:
        desk.running = None
        until_answered(partial(_finish, desk.worker, attempt))
    return True


def run(attempt: Attempt, stopping: Event) -> None:
    """Fetch, generate, store, complete; whatever goes wrong ends in one verb of the lifecycle."""
    told = _Steps(attempt, stopping)
    stored: list[publish.Stored] = []
    try:
        with _folder(attempt) as folder:
            for artifact in _generate(attempt, folder, told):
                stored.append(until_answered(partial(_store, attempt, artifact, told), wait=told.wait))
        until_answered(partial(lifecycle.complete, attempt, partial(publish.record, stored)), wait=told.wait)
        return
    except lifecycle.Refused as refusal:
        log.info("%s ends here: %s", attempt, refusal)
    except Stopped:
        log.info("%s is given back: this worker stops", attempt)
        _unless_refused(lifecycle.release, attempt)
    except EngineError as error:
        _unless_refused(lifecycle.fail, attempt, error.error_code, str(error))
    except GivenUp as error:
        _unless_refused(lifecycle.fail, attempt, ErrorCode.STORAGE_UNAVAILABLE, str(error))
    except Exception as error:
        log.exception("%s failed", attempt)
        words = f"The attempt failed with {type(error).__name__}; its traceback is in the admin."
        _unless_refused(partial(lifecycle.fail, traceback=traceback.format_exc()), attempt, ErrorCode.INTERNAL, words)
    publish.discard(stored)


def _generate(attempt: Attempt, folder: Path, told: "_Steps") -> list[Artifact]:
    with _deadline(attempt):
        kind, request = inputs.request_of(attempt, folder, told)
        return engines.engine(kind).generate(request, told)


def _store(attempt: Attempt, artifact: Artifact, told: "_Steps") -> publish.Stored:
    told(Step("storing"))
    return publish.store(attempt, artifact.path, facts=artifact.facts, generation=artifact.generation)


def _finish(worker: Worker, attempt: Attempt) -> None:
    completed = Attempt.objects.filter(pk=attempt.pk, outcome=Outcome.COMPLETED).count()
    heartbeat.idle(worker, completed=completed)


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
            self._tell(step)

    def wait(self, seconds: float) -> None:
        """Wait, but not for what nobody wants any more."""
        self.stopping.wait(seconds)
        self(Step("storing"))

    def _is_worth_telling(self, step: Step) -> bool:
        """Each denoising step, since a cancel must be noticed within one; of frames and sentences ten a second."""
        return step.phase == "denoising" or step.phase != self.phase or monotonic() - self.told_at > 0.1

    def _tell(self, step: Step) -> None:
        low, high = SHARES[step.phase]
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
    timer = Timer(limit, _time_out, [attempt, limit])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _time_out(attempt: Attempt, limit: float) -> None:
    log.critical("%s is past its limit of %.0f s; this worker ends itself", attempt, limit)
    with suppress(DatabaseError, lifecycle.Refused):  # without the row, the lease runs out a minute later
        lifecycle.fail(attempt, ErrorCode.TIMED_OUT, f"It took longer than its limit of {limit:.0f} seconds.")
        executions.record(attempt)
    os._exit(EXIT_TIMED_OUT)


def _unless_refused(verb: Callable[..., object], attempt: Attempt, *words: str) -> None:
    """End an attempt by a verb; where the task was cancelled or taken over in the meantime there is nothing to end."""
    with suppress(lifecycle.Refused):
        until_answered(partial(verb, attempt, *words))
