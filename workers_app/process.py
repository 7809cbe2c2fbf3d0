"""A worker process, hooked into Celery's: it describes itself, beats, looks at the line, and stops in good order."""

import logging
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

from celery import signals
from django.conf import settings
from django.core.checks import run_checks
from django.db import close_old_connections
from django.utils import timezone

from tasks_app import queues
from tasks_app.models import Attempt
from workers_app import engines, heartbeat, runner
from workers_app.models import Worker
from workers_app.patience import DATABASE_AWAY
from workers_app.upkeep import Upkeep

log = logging.getLogger(__name__)

EXIT_UNFIT = 71


class WorkerProcess:
    """One worker: a desk, one door to it, and three threads beside Celery's own."""

    def __init__(self, nodename: str, queue_names: list[str], stopping: Event) -> None:
        self.desk = runner.Desk(describe(nodename, queue_names), queue_names, stopping)
        self.door = Lock()
        self.over = Event()
        self.upkeep = Upkeep()
        self.looking = Thread(target=self._every, args=(settings.LOOK_SECONDS, self._look, stopping), daemon=True)
        self.beating = [
            Thread(target=self._every, args=(settings.HEARTBEAT_SECONDS, chore, self.over), daemon=True)
            for chore in (self._beat, self._keep_up)
        ]

    def start(self) -> None:
        forget_dead_work()
        heartbeat.idle(self.desk.worker)
        for thread in [self.looking, *self.beating]:
            thread.start()

    def stop(self) -> None:
        """Wait for the attempt in hand, which ends at its next step; go on beating until then; say goodbye."""
        self.desk.stopping.set()
        self.looking.join()
        self.over.set()
        for thread in self.beating:
            thread.join()
        _or_end(lambda: heartbeat.gone(self.desk.worker))

    def look(self) -> None:
        """Run what waits until nothing is left; called by every bell."""
        _or_end(self._look)

    def _look(self) -> None:
        """One at a time: a second look finds the door shut and leaves, after a moment in which the first may just have
        seen the end of the line."""
        if not self.door.acquire(timeout=1):
            return
        try:
            while not self.desk.stopping.is_set() and runner.run_next(self.desk):
                pass
        finally:
            self.door.release()

    def _beat(self) -> None:
        heartbeat.beat(self.desk.worker, self.desk.running, engines.warm().warm)

    def _keep_up(self) -> None:
        try:
            self.upkeep.round()
        except DATABASE_AWAY:
            self.upkeep.was_away()
            raise

    def _every(self, seconds: float, chore: Callable[[], None], until: Event) -> None:
        while not until.is_set():
            _or_end(chore)
            until.wait(seconds)
        close_old_connections()


def _or_end(chore: Callable[[], None]) -> None:
    """Do a chore. A worker that cannot, for any other reason than the database being away, must not go on."""
    close_old_connections()
    try:
        chore()
    except DATABASE_AWAY as error:
        log.warning("the database is away: %s", error)
    except Exception:
        log.critical("this worker ends itself", exc_info=True)
        os._exit(EXIT_UNFIT)


def describe(nodename: str, queue_names: list[str]) -> Worker:
    """A row for this process, under a name of its own; its type is the heaviest queue that it serves."""
    now = timezone.now()
    return Worker.objects.create(
        worker_id=f"{nodename[:90]}-{secrets.token_hex(3)}",
        worker_type=next(name for name in queues.NAMES if any(queue.split(".")[0] == name for queue in queue_names)),
        queue_names=queue_names,
        hostname=socket.gethostname(),
        pid=os.getpid(),
        started_at=now,
        last_heartbeat=now,
    )


def forget_dead_work() -> None:
    """Remove the folders of attempts that are over; those of a killed worker stay until its attempt is rescued."""
    running = {str(pk) for pk in Attempt.objects.open().values_list("pk", flat=True)}
    for folder in settings.WORK_FOLDER.glob("*"):
        if folder.name not in running:
            shutil.rmtree(folder, ignore_errors=True)


class _Current:
    """What Celery's hooks know of this process; it may be told to stop before it is ready."""

    stopping = Event()
    process: WorkerProcess | None = None


def look() -> None:
    """What a bell does."""
    if _Current.process:
        _Current.process.look()


# --- Celery's hooks ------------------------------------------------------------------------------------------------


@signals.worker_init.connect
def _check(sender: Any, **_: Any) -> None:
    """One task at a time, in a thread: a fork would lose CUDA, a second task the memory, solo the control commands."""
    pool = sender.pool_cls.__module__.rsplit(".", 1)[-1]
    if pool != "thread" or sender.concurrency != 1:
        raise SystemExit(
            f"A model worker runs one task at a time in a thread, not {sender.concurrency} in pool {pool}. "
            "Leave out --pool and --concurrency; for more, start more workers."
        )
    if strange := [name for name in sender.app.amqp.queues.consume_from if name.split(".")[0] not in queues.NAMES]:
        raise SystemExit(f"There is no queue {', '.join(strange)}; there are {', '.join(queues.NAMES)}.")
    if errors := [str(error) for error in run_checks() if error.is_serious()]:
        raise SystemExit("\n".join(errors))
    sender.app.conf.broker_transport_options["socket_timeout"] = 10


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    def start() -> None:
        process = WorkerProcess(sender.hostname, list(sender.app.amqp.queues.consume_from), _Current.stopping)
        process.start()
        _Current.process = process

    _or_end(start)
    if _Current.process is None:
        os._exit(EXIT_UNFIT)  # whoever supervises us tries again when the database is back


@signals.worker_shutting_down.connect
def _told_to_stop(**_: Any) -> None:
    _Current.stopping.set()


@signals.worker_shutdown.connect
def _stop(**_: Any) -> None:
    if _Current.process:
        _Current.process.stop()
