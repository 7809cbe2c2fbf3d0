"""What any live worker does for all: rescue the tasks of the dead, ring again what was lost, repair the mirror."""

import logging
from contextlib import suppress
from time import time

from django.conf import settings

from tasks_app import lifecycle, mirror, queues
from tasks_app.models import Attempt, Task
from workers_app import executions, heartbeat

log = logging.getLogger(__name__)


class Upkeep:
    """One round at a time. After the database or this machine was away, nothing is rescued until both have been up for
    one whole lease: the living could not renew theirs either."""

    def __init__(self) -> None:
        self.up_since = self.last_round = time()

    def was_away(self) -> None:
        self.up_since = time()

    def round(self) -> None:
        """Every write is guarded, so that two workers doing this at once do no harm."""
        # By the clock on the wall: the monotonic one stands still while a machine sleeps.
        if time() - self.last_round > settings.LEASE.total_seconds() / 2:
            self.was_away()
        self.last_round = time()
        if time() - self.up_since > settings.LEASE.total_seconds():
            rescue()
        mirror.notice_flush()
        mirror.repair()
        ring()
        heartbeat.prune()


def rescue() -> int:
    """Give back the tasks whose worker is no longer believed; how many that were."""
    rescued = 0
    for attempt in Attempt.objects.expired().select_related("task"):
        with suppress(lifecycle.Refused):
            task = lifecycle.rescue(attempt)
            executions.record(attempt)
            log.warning("rescued %s from %s: %s", attempt, attempt.worker_id, task.status)
            rescued += 1
    return rescued


def ring() -> None:
    """A bell for every line in which something waits: whoever lost the first one wakes up by this."""
    for queue_name in Task.objects.queued().order_by().values_list("queue_name", flat=True).distinct():
        queues.ring(queue_name)
