"""What was made must not be made again for want of a database or a bucket: try until they answer."""

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections

from media_app import storage

log = logging.getLogger(__name__)
T = TypeVar("T")

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
"""InternalError: a session that PostgreSQL ended, or a standby that took over and is still read-only."""

AWAY = (*DATABASE_AWAY, *storage.UNAVAILABLE)
LONGEST_PAUSE = 30.0


class GivenUp(Exception):
    """No answer for `STORE_PATIENCE`."""


def _pause(seconds: float) -> None:
    Event().wait(seconds)


def until_answered(call: Callable[[], T], *, wait: Callable[[float], object] = _pause) -> T:
    """The answer of `call`, asked again after 1, 2, 4 ... 30 s while the database or the storage is away.

    `wait` sleeps that many seconds, or raises when there is no more use in waiting.

    Raises:
        GivenUp: still away after `STORE_PATIENCE`.
        FileNotFoundError: at once; what is gone does not come back by waiting.
    """
    give_up, pause = monotonic() + settings.STORE_PATIENCE.total_seconds(), 1.0
    while True:
        try:
            return call()
        except FileNotFoundError:
            raise
        except AWAY as error:
            if monotonic() + pause > give_up:
                raise GivenUp(f"No answer for too long: {type(error).__name__}.") from error
            log.warning("away, again in %.0f s: %s", pause, error)
            close_old_connections()
        wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
