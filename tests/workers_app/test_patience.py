"""A database or a bucket that is away is waited for; a film is not made twice for its sake."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.db import OperationalError

from tasks_app import lifecycle
from workers_app import patience
from workers_app.patience import until_answered

AWAY = [
    OperationalError("the database system is shutting down"),
    EndpointConnectionError(endpoint_url="https://r2.example"),
    OSError(28, "No space left on device"),
]


class Away:
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times, self.error = times, error

    def __call__(self) -> str:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return "here"


@pytest.mark.parametrize("error", AWAY)
def test_it_asks_again_after_growing_pauses(error: Exception, transactional_db: None) -> None:
    pauses: list[float] = []
    assert until_answered(Away(7, error), wait=pauses.append) == "here"
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_patience_ends(settings: Any, transactional_db: None) -> None:
    settings.STORE_PATIENCE *= 0
    with pytest.raises(patience.GivenUp, match="OSError"):
        until_answered(Away(1, AWAY[2]))


def test_waiting_ends_when_there_is_no_use_in_it(transactional_db: None) -> None:
    def refused(seconds: float) -> None:
        raise lifecycle.Refused("cancelled")

    with pytest.raises(lifecycle.Refused):
        until_answered(Away(9, AWAY[0]), wait=refused)


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), ValueError("a bug")])
def test_what_waiting_cannot_mend_is_raised_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        until_answered(Away(1, error))
