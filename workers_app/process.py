"""A worker process, hooked into Celery's: it describes itself, beats, looks at the line, and stops in good order."""

import logging
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any
from uuid import UUID

from celery import signals
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from tasks_app import queues
from tasks_app.models import Attempt
from workers_app import engines, heartbeat, runner
from workers_app.models import Worker
from workers_app.upkeep import Upkeep

log = logging.getLogger(__name__)

EXIT_HEARTLESS = 71


class WorkerProcess:
    """One worker: a desk, one door to it, and three threads beside Celery's own."""

    def __init__(self, nodename: str, queue_names: list[str]) -> None:
        self.desk = runner.Desk(describe(nodename, queue_names), queue_names)
        self.door = Lock()
        self.over = Event()
        self.upkeep = Upkeep()
        self.threads = [
            Thread(target=self._every, args=(settings.HEARTBEAT_SECONDS, self._beat), name="heartbeat", daemon=True),
            Thread(target=self._every, args=(settings.HEARTBEAT_SECONDS, self._keep_up), name="upkeep", daemon=True),
            Thread(target=self._every, args=(settings.LOOK_SECONDS, self.look), name="look", daemon=True),
        ]

    def start(self) -> None:
        forget_dead_work()
        heartbeat.idle(self.desk.worker)
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the attempt in hand, which `stopping` ends at its next step, and say goodbye."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        heartbeat.gone(self.desk.worker)

    def look(self) -> None:
        """Run what waits until nothing is left. One at a time: a second look finds the door shut and leaves, after a
        moment in which the first may just have seen the end of the line."""
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
        except DatabaseError:
            self.upkeep.database_was_away()
            raise

    def _every(self, seconds: float, chore: Callable[[], None]) -> None:
        """Repeat a chore. A worker whose chores fail for any other reason than the database must not go on."""
        while not self.over.is_set():
            close_old_connections()
            try:
                chore()
            except DatabaseError as error:
                log.warning("%s: the database is away: %s", chore.__name__, error)
            except BaseException:
                log.critical("%s failed; this worker ends itself", chore.__name__, exc_info=True)
                os._exit(EXIT_HEARTLESS)
            self.over.wait(seconds)
        close_old_connections()


def describe(nodename: str, queue_names: list[str]) -> Worker:
    """A row for this process, under a name of its own."""
    kinds = [name for name in queues.NAMES if any(queue.split(".")[0] == name for queue in queue_names)]
    now = timezone.now()
    return Worker.objects.create(
        worker_id=f"{nodename[:90]}-{secrets.token_hex(3)}",
        worker_type=kinds[0] if kinds else queues.CPU_INTENSIVE,
        queue_names=queue_names,
        hostname=socket.gethostname(),
        pid=os.getpid(),
        started_at=now,
        last_heartbeat=now,
    )


def forget_dead_work() -> None:
    """Remove the folders of attempts that are over; those of a killed worker stay until its attempt is rescued."""
    for folder in settings.WORK_FOLDER.glob("*"):
        if not Attempt.objects.open().filter(pk=UUID(folder.name)).exists():
            shutil.rmtree(folder, ignore_errors=True)


class _Current:
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
    sender.app.conf.broker_transport_options["socket_timeout"] = 10


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    _Current.process = WorkerProcess(sender.hostname, list(sender.app.amqp.queues.consume_from))
    _Current.process.start()


@signals.worker_shutting_down.connect
def _told_to_stop(**_: Any) -> None:
    if _Current.process:
        _Current.process.desk.stopping.set()


@signals.worker_shutdown.connect
def _stop(**_: Any) -> None:
    if _Current.process:
        _Current.process.stop()
