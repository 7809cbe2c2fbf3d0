"""Workers that die, freeze and wake up: every task is completed once, by one attempt, whose file it is."""

from collections.abc import Callable
from typing import Any

from django.core.files.storage import default_storage

from media_app.models import MediaResult
from tasks_app.models import Attempt, Project, Task
from tests.acceptance.conftest import EngineLog, Process, eventually, finished, recorded, status_of

SLOW = {"ENGINE_STEP_SECONDS": "0.4", "ENGINE_STEPS": "8"}


def outcomes(task: Task) -> list[str | None]:
    return list(Attempt.objects.filter(task=task).order_by("number").values_list("outcome", flat=True))


FROZEN, RESCUER = {"ENGINE_GREEN": "40"}, {"ENGINE_GREEN": "220"}


def green(media: MediaResult) -> int:
    """Which worker painted this picture: each has a green of its own."""
    from PIL import Image

    with default_storage.open(media.storage_key) as file:
        pixel = Image.open(file).convert("RGB").getpixel((50, 50))
    assert isinstance(pixel, tuple)
    return int(pixel[1])


def test_the_task_of_a_killed_worker_is_taken_over_and_completed_once(
    worker: Any, make_task: Any, engines: EngineLog
) -> None:
    doomed = worker(**SLOW)
    task = make_task()
    eventually(lambda: engines.of("step", task))
    doomed.kill()
    worker()
    (task,) = finished(task)
    assert (task.status, task.attempt, outcomes(task)) == ("completed", 2, ["lost", "completed"])
    assert len(engines.of("begin", task)) == 2
    assert len(engines.of("end", task)) == 1
    assert MediaResult.objects.filter(task=task).count() == 1
    assert Project.objects.get().active_tasks == 0
    recorded(task)
    assert all(attempt.execution for attempt in Attempt.objects.filter(task=task))


def test_a_frozen_worker_that_wakes_up_overwrites_nothing(worker: Any, make_task: Any, engines: EngineLog) -> None:
    frozen: Process = worker(**SLOW, **FROZEN)
    task = make_task()
    eventually(lambda: engines.of("step", task))
    frozen.freeze()
    worker(**RESCUER)
    (task,) = finished(task)
    before = (task.revision, Task.objects.values("result", "completed_at").get(pk=task.pk))
    frozen.thaw()
    eventually(lambda: "ends here" in frozen.log.read_text())
    task.refresh_from_db()
    assert before == (task.revision, Task.objects.values("result", "completed_at").get(pk=task.pk))
    assert outcomes(task) == ["lost", "completed"]
    media = MediaResult.objects.get(task=task)
    assert abs(green(media) - 220) <= 6


def test_a_frozen_worker_that_notices_nothing_until_its_upload_overwrites_nothing(
    worker: Any, make_task: Any, engines: EngineLog
) -> None:
    blind = {"ENGINES": "image=tests.engines.EngineThatBelievesItIsDone", "ENGINE_STEP_SECONDS": "0.5"}
    frozen: Process = worker(**blind, **FROZEN)
    task = make_task()
    eventually(lambda: engines.of("begin", task))
    frozen.freeze()
    worker(**RESCUER)
    finished(task)
    frozen.thaw()
    eventually(lambda: "ends here" in frozen.log.read_text())
    assert len(engines.of("end", task)) == 2, "both made a picture"
    media = MediaResult.objects.get(task=task)
    assert abs(green(media) - 220) <= 6
    assert not default_storage.exists(f"staging/{task.pk}-1/output.jpg")
    frozen_again = make_task()
    assert finished(frozen_again)[0].status == "completed"


def test_a_worker_told_to_stop_gives_its_task_back_at_the_next_step(
    worker: Any, make_task: Any, engines: EngineLog
) -> None:
    leaving: Process = worker(**SLOW)
    task = make_task()
    eventually(lambda: engines.of("step", task))
    assert leaving.terminate() == 0
    assert status_of(task) == "queued"
    assert outcomes(task) == ["released"]
    assert len(engines.of("step", task)) < int(SLOW["ENGINE_STEPS"])
    worker()
    assert finished(task)[0].tries == 1


def test_several_workers_never_run_the_same_attempt(worker: Any, make_task: Any, engines: EngineLog) -> None:
    for _ in range(3):
        worker()
    tasks = [make_task() for _ in range(24)]
    assert {task.status for task in finished(*tasks)} == {"completed"}
    begun = [line["task"] for line in engines.of("begin")]
    assert sorted(begun) == sorted(str(task.pk) for task in tasks)
    assert len({line["pid"] for line in engines.of("begin")}) > 1, "the work was shared"


def test_a_model_stuck_past_its_limit_ends_its_worker_but_not_its_task(
    worker: Callable[..., Process], make_task: Any
) -> None:
    stuck = worker(ENGINES="image=tests.engines.EngineThatHangsOnce", IMAGE_TIME_LIMIT="1.5")
    task = make_task()
    assert stuck.popen.wait(20) == 70
    attempt = Attempt.objects.get(task=task)
    assert (attempt.outcome, attempt.error_code, status_of(task)) == ("failed", "timed_out", "queued")
    worker(ENGINES="image=tests.engines.EngineThatHangsOnce", IMAGE_TIME_LIMIT="10")
    (task,) = finished(task)
    assert (task.status, task.attempt) == ("completed", 2)
