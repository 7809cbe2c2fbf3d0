"""How long things take."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app import estimates
from tasks_app.models import Project, Task

pytestmark = pytest.mark.django_db


def ran(seconds: float, task_type: str = "image_generation", *, status: str = "completed", ago: int = 0) -> None:
    """A task that ran for so long and ended some minutes ago."""
    Project.objects.get_or_create(project_id="noir")
    ended = timezone.now() - timedelta(minutes=ago)
    words = {"error": "It broke.", "error_code": "internal"} if status == "failed" else {}
    Task.objects.create(
        project_id="noir", task_type=task_type, task_data={}, created_at=ended, estimated_duration=1, queue_name="q",
        status=status, progress=1.0 if status == "completed" else 0.5, completed_at=ended,
        started_at=ended - timedelta(seconds=seconds), **words,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task_type", "seconds"), [("video_generation", 300), ("image_generation", 30), ("audio_synthesis", 10)]
)
def test_before_anything_was_made_there_is_a_guess_per_type(task_type: str, seconds: int) -> None:
    assert estimates.duration(task_type) == seconds


def test_afterwards_it_is_the_mean_of_what_was_made_of_the_type() -> None:
    ran(10), ran(20), ran(1000, "video_generation"), ran(500, status="failed"), ran(500, status="cancelled")
    assert estimates.duration("image_generation") == 15
    assert estimates.duration("video_generation") == 1000
    assert estimates.duration("audio_synthesis") == 10


def test_only_the_last_twenty_count() -> None:
    for _ in range(20):
        ran(10)
    ran(9999, ago=5)
    assert estimates.duration("image_generation") == 10


def test_nothing_takes_less_than_a_second() -> None:
    ran(0.01)
    assert estimates.duration("image_generation") == 1


@pytest.mark.parametrize(
    ("status", "elapsed", "progress", "seconds"),
    [
        ("processing", 60, 0.5, 60),
        ("processing", 60, 0.75, 20),
        ("processing", 60, 0.0, 240),  # no pace yet: the estimate
        ("processing", 400, 0.01, 0),  # overdue, still without a pace
        ("queued", None, 0.0, None),
        ("completed", 60, 1.0, None),
        ("failed", 60, 0.5, None),
        ("cancelled", None, 0.0, None),
    ],
)
def test_what_remains_of_a_task(status: str, elapsed: int | None, progress: float, seconds: int | None) -> None:
    begun = None if elapsed is None else timezone.now() - timedelta(seconds=elapsed)
    task = Task(status=status, progress=progress, started_at=begun, estimated_duration=300)
    assert estimates.remaining(task) == (seconds if seconds is None else pytest.approx(seconds, abs=1))
