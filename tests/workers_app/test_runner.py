"""One attempt from claim to finish, in this process, with engines named by what goes wrong."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone
from django_celery_results.models import TaskResult
from redis import Redis

from media_app.models import MediaResult
from tasks_app import lifecycle
from tasks_app.models import Attempt, Task
from tests.engines import QuickEngine
from tests.storages import FolderThatIsFull
from workers_app import engines, runner
from workers_app.engines.base import Artifact, InvalidInput, OnStep, Step
from workers_app.models import Worker


class EngineWhoseTaskIsCancelledAtTheEnd(QuickEngine):
    """The caller cancels between the last step and the upload."""

    def write(self, request: Any) -> Artifact:
        artifact = super().write(request)
        lifecycle.cancel(Task.objects.get(pk=request.tags["task"]))
        return artifact


class EngineToldToStop(QuickEngine):
    """The worker gets its SIGTERM in mid-generation."""

    stopping: Event

    def work(self, request: Any, on_step: OnStep) -> None:
        on_step(Step("denoising", 1, 4))
        EngineToldToStop.stopping.set()
        on_step(Step("denoising", 2, 4))
        pytest.fail("it was not stopped")


class EngineThatRefuses(QuickEngine):
    def work(self, request: Any, on_step: OnStep) -> None:
        raise InvalidInput("This model takes no storyboard_images.")


class EngineThatMakesTwo(QuickEngine):
    def generate(self, request: Any, on_step: OnStep) -> list[Artifact]:
        first = self.write(request)
        path = request.folder / "output-2.jpg"
        shutil.copy(first.path, path)
        return [first, Artifact(path, first.facts, first.generation)]


class EngineThatOutlivesTheDatabase(QuickEngine):
    """The database is away during all of its steps."""

    def work(self, request: Any, on_step: OnStep) -> None:
        advance = lifecycle.advance

        def away(*_: Any) -> None:
            raise OperationalError("the database system is shutting down")

        lifecycle.advance = away  # type: ignore[assignment]
        try:
            super().work(request, on_step)
        finally:
            lifecycle.advance = advance


@pytest.fixture
def desk(transactional_db: None) -> runner.Desk:
    now = timezone.now()
    row = Worker.objects.create(
        worker_id="gpu_medium@here-1", worker_type="gpu_medium", started_at=now, last_heartbeat=now
    )
    return runner.Desk(row, ["gpu_medium"])


@pytest.fixture
def use(settings: Any) -> Iterator[Any]:
    """Chooses the engine of pictures."""

    def use(kind: type) -> None:
        settings.ENGINES = {**settings.ENGINES, "image": f"{kind.__module__}.{kind.__name__}"}
        engines.engine.cache_clear()

    yield use
    engines.engine.cache_clear()


def run(desk: runner.Desk, task: Task) -> Task:
    assert runner.run_next(desk)
    return Task.objects.get(pk=task.pk)


def test_a_task_goes_from_claim_to_completed(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(QuickEngine)
    task = run(desk, make_task())
    assert (task.status, task.progress, task.current_step) == ("completed", 1.0, "completed")
    assert MediaResult.objects.get().task_id == task.pk
    desk.worker.refresh_from_db()
    assert (desk.worker.state, desk.worker.tasks_completed, desk.running) == ("idle", 1, None)
    assert not runner.run_next(desk)


def test_the_execution_record_is_written_once_and_linked(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(QuickEngine)
    task = run(desk, make_task())
    record = TaskResult.objects.get()
    assert Attempt.objects.get().execution == record
    assert (record.status, record.worker, record.task_name) == ("SUCCESS", "gpu_medium@here-1", "image_generation")
    assert str(task.pk) in (record.task_kwargs or "")


def test_several_files_are_numbered_media(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(EngineThatMakesTwo)
    task = run(desk, make_task())
    assert task.result
    assert [media["file_name"] for media in task.result["media"]] == ["output.jpg", "output-2.jpg"]
    assert task.result["media_url"] == task.result["media"][0]["media_url"]


def test_a_cancel_just_before_the_upload_leaves_nothing_behind(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(EngineWhoseTaskIsCancelledAtTheEnd)
    task = run(desk, make_task())
    assert task.status == "cancelled"
    assert not MediaResult.objects.exists()
    assert not default_storage.exists(f"staging/{task.pk}-1/output.jpg")
    assert TaskResult.objects.get().status == "REVOKED"


def test_a_worker_told_to_stop_gives_its_task_back(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(EngineToldToStop)
    EngineToldToStop.stopping = desk.stopping
    task = run(desk, make_task())
    assert (task.status, task.tries, Attempt.objects.get().outcome) == ("queued", 0, "released")


def test_an_engines_refusal_is_the_callers_error_in_its_own_words(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(EngineThatRefuses)
    task = run(desk, make_task())
    assert (task.status, task.error_code, task.error) == (
        "failed",
        "invalid_input",
        "This model takes no storyboard_images.",
    )


def test_a_model_no_longer_allowed_is_invalid_input(desk: runner.Desk, use: Any, make_task: Any, settings: Any) -> None:
    settings.MODELS = {**settings.MODELS, "image_generation": ["one", "two"]}
    task = make_task(task_data={"prompt": "x", "model": "two"})
    settings.MODELS = {**settings.MODELS, "image_generation": ["one"]}
    use(QuickEngine)
    task = run(desk, task)
    assert task.error_code == "invalid_input"
    assert task.error == "The task's data is not allowed here: model: unknown model; allowed here: one."


def test_a_bug_in_an_engine_keeps_its_traceback_for_the_operator_alone(
    desk: runner.Desk, use: Any, make_task: Any
) -> None:
    from tests.engines import EngineThatCrashes

    use(EngineThatCrashes)
    task = run(desk, make_task())
    assert (task.status, task.error_code) == ("failed", "internal")
    assert "Traceback" not in (task.error or "")
    assert "up_blocks.3" in Attempt.objects.get().traceback


def test_generation_goes_on_while_the_database_is_away(desk: runner.Desk, use: Any, make_task: Any) -> None:
    use(EngineThatOutlivesTheDatabase)
    assert run(desk, make_task()).status == "completed"


def test_redis_being_away_costs_no_task(desk: runner.Desk, use: Any, make_task: Any, settings: Any) -> None:
    from tests import environment

    use(QuickEngine)
    environment.stop_redis()
    try:
        assert run(desk, make_task()).status == "completed"
    finally:
        environment.start_redis()


def test_progress_counts_through_the_phases(desk: runner.Desk, use: Any, make_task: Any, store: Redis) -> None:
    seen: list[float] = []

    use(QuickEngine)
    task = make_task()
    attempt = lifecycle.claim("gpu_medium@here-1", ["gpu_medium"])
    assert attempt
    told = runner._Steps(attempt, Event())
    for step in (
        Step("fetching"),
        Step("loading", 1, 1),
        Step("denoising", 2, 4),
        Step("decoding"),
        Step("encoding", 5, 10),
        Step("storing"),
    ):
        told(step)
        seen.append(Task.objects.get(pk=task.pk).progress)
    assert seen == pytest.approx([0.0, 0.10, 0.50, 0.90, 0.95, 0.97])


def test_the_folder_of_an_attempt_goes_with_it(desk: runner.Desk, use: Any, make_task: Any, settings: Any) -> None:
    use(QuickEngine)
    run(desk, make_task())
    assert not list(Path(settings.WORK_FOLDER).glob("*"))


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_storage_that_is_away_for_a_moment_costs_no_generation(
    refusals: int, desk: runner.Desk, use: Any, make_task: Any, settings: Any, tmp_path: Path
) -> None:
    """The first refusal meets the upload, the second its second try."""
    backend = {"BACKEND": "tests.storages.FolderThatIsFull", "OPTIONS": {"location": tmp_path / "media"}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    FolderThatIsFull.refusals = refusals
    use(QuickEngine)
    task = run(desk, make_task())
    assert (task.status, task.attempt) == ("completed", 1)


def test_a_final_copy_that_is_refused_is_tried_again(
    desk: runner.Desk, use: Any, make_task: Any, settings: Any, tmp_path: Path
) -> None:
    backend = {"BACKEND": "tests.storages.FolderThatCannotCopyAtFirst", "OPTIONS": {"location": tmp_path / "media"}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    use(QuickEngine)
    task = run(desk, make_task())
    assert (task.status, task.attempt) == ("completed", 1)


def test_a_storage_away_for_too_long_fails_the_task_by_its_name(
    desk: runner.Desk, use: Any, make_task: Any, settings: Any, tmp_path: Path
) -> None:
    backend = {"BACKEND": "tests.storages.FolderThatIsFull", "OPTIONS": {"location": tmp_path / "media"}}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    settings.STORE_PATIENCE *= 0
    FolderThatIsFull.refusals = 99
    use(QuickEngine)
    task = run(desk, make_task())
    assert (task.status, task.error_code) == ("failed", "storage_unavailable")
