"""Every status by every verb, and who wins when two want the same task."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from redis import Redis

from tasks_app import lifecycle
from tasks_app.models import Attempt, Outcome, Project, Status, Task

pytestmark = pytest.mark.django_db(transaction=True)

QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED = Status.values
REFUSED = "refused"


def bring_to(status: str, attempt: Attempt) -> Attempt:
    """From a claimed task to one in this status."""
    if status == QUEUED:
        lifecycle.release(attempt)
    elif status == COMPLETED:
        lifecycle.complete(attempt, lambda task: {})
    elif status == FAILED:
        lifecycle.fail(attempt, "internal", "It broke.")
    elif status == CANCELLED:
        lifecycle.cancel(attempt.task)
    assert Task.objects.get(pk=attempt.task_id).status == status
    return attempt


def lose(attempt: Attempt) -> Task:
    """Its lease runs out, and somebody notices."""
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() - timedelta(seconds=1))
    return lifecycle.rescue(attempt)


VERBS: dict[str, Callable[[Attempt], Any]] = {
    "advance": lambda attempt: lifecycle.advance(attempt, 0.5, "denoising 2/4"),
    "complete": lambda attempt: lifecycle.complete(attempt, lambda task: {}),
    "fail": lambda attempt: lifecycle.fail(attempt, "internal", "It broke."),
    "lose": lose,
    "release": lifecycle.release,
    "cancel": lambda attempt: lifecycle.cancel(attempt.task),
    "retry": lambda attempt: lifecycle.retry(attempt.task),
}

# What each verb makes of each status; written by hand, from the drawing in the specification.
MATRIX = {
    #            queued      processing  completed  failed   cancelled
    "advance":  (REFUSED,    PROCESSING, REFUSED,   REFUSED, REFUSED),
    "complete": (REFUSED,    COMPLETED,  REFUSED,   REFUSED, REFUSED),
    "fail":     (REFUSED,    FAILED,     REFUSED,   REFUSED, REFUSED),
    "lose":     (REFUSED,    QUEUED,     REFUSED,   REFUSED, REFUSED),
    "release":  (REFUSED,    QUEUED,     REFUSED,   REFUSED, REFUSED),
    "cancel":   (CANCELLED,  CANCELLED,  REFUSED,   REFUSED, REFUSED),
    "retry":    (REFUSED,    REFUSED,    REFUSED,   QUEUED,  REFUSED),
}  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "status", "outcome"),
    [(verb, status, row[column]) for verb, row in MATRIX.items() for column, status in enumerate(Status.values)],
)
def test_every_verb_leaves_only_the_statuses_it_may(verb: str, status: str, outcome: str, claim_task: Any) -> None:
    attempt = bring_to(status, claim_task())
    before = Task.objects.values().get(pk=attempt.task_id)
    if outcome == REFUSED:
        with pytest.raises(lifecycle.Refused) as refusal:
            VERBS[verb](attempt)
        assert refusal.value.details["status"] == status
        changed = {k for k, v in Task.objects.values().get(pk=attempt.task_id).items() if v != before[k]}
        assert changed <= {"mirrored"}
    else:
        VERBS[verb](attempt)
        assert Task.objects.get(pk=attempt.task_id).status == outcome


@pytest.mark.parametrize("status", Status.values)
def test_only_a_queued_task_is_claimed(status: str, claim_task: Any) -> None:
    attempt = bring_to(status, claim_task())
    claimed = lifecycle.claim("gpu_medium@there-2", ["gpu_medium"])
    assert (claimed is not None) == (status == QUEUED)
    if claimed:
        assert (claimed.task_id, claimed.number) == (attempt.task_id, 2)


@pytest.mark.parametrize("verb", ["advance", "complete", "fail", "lose", "release"])
def test_a_fenced_off_attempt_changes_nothing_of_its_successor(verb: str, claim_task: Any) -> None:
    old = claim_task("gpu_medium@frozen-1")
    lose(old)
    new = lifecycle.claim("gpu_medium@alive-2", ["gpu_medium"])
    assert new is not None
    with pytest.raises(lifecycle.Refused):
        VERBS[verb](old)
    new.refresh_from_db()
    assert new.outcome is None
    assert Task.objects.get(pk=new.task_id).status == PROCESSING


def test_a_refused_completion_writes_no_media(claim_task: Any) -> None:
    attempt = claim_task()
    lifecycle.cancel(attempt.task)
    with pytest.raises(lifecycle.Refused):
        lifecycle.complete(attempt, lambda task: pytest.fail("the files must not be touched"))


def test_a_completion_that_cannot_record_its_media_leaves_the_task_running(claim_task: Any) -> None:
    attempt = claim_task()

    def broken(task: Task) -> dict[str, Any]:
        raise OSError("the bucket is away")

    with pytest.raises(OSError, match="bucket"):
        lifecycle.complete(attempt, broken)
    assert Task.objects.get(pk=attempt.task_id).status == PROCESSING
    assert Attempt.objects.open().count() == 1


def test_tasks_are_claimed_by_priority_and_then_by_age(make_task: Any) -> None:
    low, first, second, high = (make_task(priority=priority) for priority in (3, 2, 2, 1))
    claimed = [lifecycle.claim(f"worker-{number}", ["gpu_medium"]) for number in range(4)]
    assert [attempt.task_id for attempt in claimed if attempt] == [high.pk, first.pk, second.pk, low.pk]


def test_a_worker_claims_only_from_the_lines_it_serves(make_task: Any) -> None:
    make_task()
    assert lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"]) is None


def test_a_worker_holds_one_open_attempt_at_most(make_task: Any) -> None:
    make_task(), make_task()
    assert lifecycle.claim("gpu_medium@here-1", ["gpu_medium"])
    with pytest.raises(IntegrityError):
        lifecycle.claim("gpu_medium@here-1", ["gpu_medium"])


def test_many_workers_at_once_never_claim_the_same_task(make_task: Any) -> None:
    tasks = {make_task().pk for _ in range(12)}

    def claim_all(number: int) -> list[Any]:
        taken = []
        try:
            while attempt := lifecycle.claim(f"worker-{number}", ["gpu_medium"]):
                taken.append(attempt.task_id)
                lifecycle.complete(attempt, lambda task: {})
        finally:
            connection.close()
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [task_id for part in pool.map(claim_all, range(6)) for task_id in part]
    assert len(taken) == 12
    assert set(taken) == tasks
    assert Attempt.objects.filter(outcome=Outcome.COMPLETED).count() == 12


def test_a_lost_worker_costs_a_task_its_tries_until_it_fails(claim_task: Any, settings: Any) -> None:
    settings.MAX_TRIES = 3
    attempt = claim_task("worker-1")
    for number in (2, 3):
        assert lose(attempt).status == QUEUED
        attempt = lifecycle.claim(f"worker-{number}", ["gpu_medium"])
        assert attempt.number == number
    task = lose(attempt)
    assert (task.status, task.error_code, task.attempt) == (FAILED, "worker_lost", 3)
    assert "worker-3" in (task.error or "")


def test_a_persons_retry_starts_a_fresh_count_of_tries_and_keeps_the_fence(claim_task: Any) -> None:
    attempt = claim_task("worker-1")
    lifecycle.fail(attempt, "internal", "It broke.")
    task = lifecycle.retry(attempt.task)
    assert (task.status, task.tries, task.attempt, task.error, task.error_code) == (QUEUED, 0, 1, None, None)
    again = lifecycle.claim("worker-2", ["gpu_medium"])
    assert again is not None
    assert again.number == 2


def test_a_released_task_keeps_its_place_and_its_tries(make_task: Any) -> None:
    first, _ = make_task(), make_task()
    attempt = lifecycle.claim("worker-1", ["gpu_medium"])
    assert attempt is not None
    assert attempt.task_id == first.pk
    assert lifecycle.release(attempt).tries == 0
    again = lifecycle.claim("worker-2", ["gpu_medium"])
    assert again is not None
    assert again.task_id == first.pk


def test_progress_never_goes_back_within_an_attempt(claim_task: Any) -> None:
    attempt = claim_task()
    lifecycle.advance(attempt, 0.6, "denoising 3/4")
    assert lifecycle.advance(attempt, 0.2, "decoding").progress == 0.6


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_progress_out_of_range_is_refused_by_name(fraction: float, claim_task: Any) -> None:
    with pytest.raises(ValueError, match=r"within 0\.0 and below 1\.0"):
        lifecycle.advance(claim_task(), fraction, "denoising")


def test_a_project_counts_its_tasks_and_the_running_ones(claim_task: Any, make_task: Any) -> None:
    def counts() -> tuple[int, int]:
        project = Project.objects.get(pk="noir")
        return project.task_count, project.active_tasks

    attempt = claim_task()
    make_task()
    assert counts() == (2, 1)
    lose(attempt)
    assert counts() == (2, 0)
    attempt = lifecycle.claim("worker-2", ["gpu_medium"])
    assert attempt
    lifecycle.cancel(attempt.task)
    assert counts() == (2, 0)


def test_a_deleted_project_refuses_submissions_and_retries(claim_task: Any, make_task: Any) -> None:
    attempt = claim_task()
    lifecycle.fail(attempt, "internal", "It broke.")
    Project.objects.update(deleted_at=Now())
    with pytest.raises(lifecycle.Refused, match="deleted"):
        make_task()
    with pytest.raises(lifecycle.Refused, match="deleted"):
        lifecycle.retry(Task.objects.get())


def test_a_claim_is_a_lease_by_the_databases_clock(claim_task: Any, settings: Any) -> None:
    attempt = claim_task()
    attempt.refresh_from_db()
    assert attempt.lease_until - attempt.started_at > settings.LEASE - timedelta(seconds=2)
    assert not Attempt.objects.expired().exists()
    Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert Attempt.objects.expired().get() == attempt


def test_what_redis_shows_follows_every_change(claim_task: Any, store: Redis) -> None:
    attempt = claim_task()
    task_id = str(attempt.task_id)
    assert json.loads(store.get(f"tasks:{task_id}"))["status"] == PROCESSING
    lifecycle.complete(attempt, lambda task: {"media": []})
    assert json.loads(store.get(f"tasks:{task_id}"))["status"] == COMPLETED
    assert store.smembers("tasks:by_status:completed") == {task_id}
    assert not store.exists("tasks:by_status:queued", "tasks:by_status:processing")
