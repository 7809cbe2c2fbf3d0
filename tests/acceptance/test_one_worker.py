"""What a worker does while it works, when it is asked to stop a task, and when a task cannot be done."""

import time
from typing import Any

import pytest
from redis import Redis

from aimovie.celery import app
from media_app.models import MediaResult
from tasks_app import lifecycle
from tasks_app.models import Attempt
from tests.acceptance.conftest import EngineLog, Process, eventually, finished, recorded, status_of
from workers_app.models import Worker

SLOW = {"ENGINE_STEP_SECONDS": "0.5", "ENGINE_STEPS": "12"}


def test_a_cancel_stops_the_generation_within_one_step(worker: Any, make_task: Any, engines: EngineLog) -> None:
    running: Process = worker(**SLOW)
    task = make_task()
    eventually(lambda: len(engines.of("step", task)) >= 2)
    lifecycle.cancel(task)
    done = len(engines.of("step", task))
    eventually(lambda: "ends here" in running.log.read_text())
    assert len(engines.of("step", task)) <= done + 1
    assert (status_of(task), Attempt.objects.get(task=task).outcome) == ("cancelled", "cancelled")
    assert not engines.of("end", task)
    assert not MediaResult.objects.exists()
    another = make_task()
    eventually(lambda: engines.of("begin", another))


def test_a_busy_worker_goes_on_beating_and_answers(
    worker: Any, make_task: Any, engines: EngineLog, store: Redis
) -> None:
    process: Process = worker(**SLOW)
    task = make_task()
    eventually(lambda: engines.of("step", task))
    row = Worker.objects.get(pid=process.pid)
    assert (row.status, row.current_task_id) == ("busy", task.pk)
    assert app.control.ping(timeout=3), "it answers control commands"
    eventually(lambda: Worker.objects.get(pid=process.pid).last_heartbeat > row.last_heartbeat)
    assert 290 < store.ttl(f"workers:{row.worker_id}") <= 300
    progress = store.get(f"progress:{task.pk}")
    assert progress
    assert "denoising" in progress
    assert status_of(task) == "processing"


@pytest.mark.parametrize(
    ("engine", "error_code", "words"),
    [
        ("EngineThatCannotReadItsInput", "input_unavailable", "answered 404"),
        ("EngineOutOfMemory", "out_of_memory", "too little memory"),
        ("EngineThatCrashes", "internal", "KeyError"),
    ],
)
def test_a_task_fails_with_its_code_and_the_worker_lives_on(
    engine: str, error_code: str, words: str, worker: Any, make_task: Any
) -> None:
    process: Process = worker(
        "gpu_medium,cpu_intensive", ENGINES=f"image=tests.engines.{engine},speech=tests.engines.EngineOfTone"
    )
    (task,) = finished(make_task())
    assert (task.status, task.error_code) == ("failed", error_code)
    assert words in (task.error or "")
    assert recorded(task).execution.status == "FAILURE"
    (another,) = finished(make_task(task_type="audio_synthesis", task_data={"text": "I am still here."}))
    assert another.status == "completed"
    assert process.popen.poll() is None


def test_a_model_that_does_not_load_fails_its_task_and_not_its_worker(
    worker: Any, make_task: Any, settings: Any, tmp_path: Any
) -> None:
    real = "image=workers_app.engines.diffusers_image.ImageEngine"
    process: Process = worker(ENGINES=real, IMAGE_MODEL=str(tmp_path / "no-such-model"))
    (task,) = finished(make_task())
    assert (task.status, task.error_code) == ("failed", "model_unavailable")
    assert "no-such-model" in (task.error or "")
    assert process.popen.poll() is None


@pytest.mark.parametrize("flags", [("-c", "2"), ("-P", "solo")])
def test_a_worker_refuses_to_run_more_than_one_task_in_a_thread(flags: tuple[str, ...], worker: Any) -> None:
    process: Process = worker("gpu_medium", *flags, ready=False)
    assert process.popen.wait(30) != 0
    assert "one task at a time" in process.log.read_text()
    assert not Worker.objects.exists()


def test_an_idle_worker_says_goodbye_when_it_is_stopped(worker: Any, store: Redis) -> None:
    process: Process = worker()
    assert process.terminate() == 0
    row = Worker.objects.get()
    assert row.status == "offline"
    assert not store.exists(f"workers:{row.worker_id}", "workers:active")


def test_submission_to_start_takes_no_poll(worker: Any, make_task: Any, engines: EngineLog) -> None:
    """The bell wakes the worker: with looks an hour apart, a task starts all the same."""
    worker(LOOK_SECONDS="3600", HEARTBEAT_SECONDS="60", LEASE_SECONDS="200")
    time.sleep(0.5)
    assert finished(make_task(), seconds=15)[0].status == "completed"


def test_a_worker_refuses_a_queue_that_does_not_exist(worker: Any) -> None:
    process: Process = worker("gpu_hevy", ready=False)
    assert process.popen.wait(30) != 0
    assert "There is no queue gpu_hevy; there are gpu_heavy, gpu_medium, cpu_intensive." in process.log.read_text()


def test_a_worker_refuses_settings_that_would_fail_every_task(worker: Any) -> None:
    process: Process = worker(PUBLIC_URL="http://movie.example", ready=False)
    assert process.popen.wait(30) != 0
    assert "PUBLIC_URL must be https" in process.log.read_text()


def test_a_worker_that_cannot_reach_its_database_ends_and_does_not_pretend(worker: Any) -> None:
    process: Process = worker(DATABASE_URL="sqlite:////proc/no/such/folder/db.sqlite3", ready=False)
    assert process.popen.wait(40) == 71


def test_rubbish_in_the_work_folder_harms_no_worker(worker: Any, make_task: Any, settings: Any) -> None:
    (settings.WORK_FOLDER / "torchinductor_root").mkdir(parents=True, exist_ok=True)
    (settings.WORK_FOLDER / ".ses").write_text("left by a library")
    process: Process = worker()
    assert finished(make_task())[0].status == "completed"
    before = Worker.objects.get(pid=process.pid).last_heartbeat
    eventually(lambda: Worker.objects.get(pid=process.pid).last_heartbeat > before)
    (settings.WORK_FOLDER / ".ses").unlink()


def test_a_worker_stopped_while_it_starts_claims_nothing(worker: Any, make_task: Any, engines: EngineLog) -> None:
    tasks = [make_task() for _ in range(4)]
    process: Process = worker(ready=False, **SLOW)
    eventually(lambda: "celery" in process.log.read_text().lower())
    process.terminate()
    assert len(engines.of("begin")) <= 1
    assert not [task for task in tasks if status_of(task) == "completed"]


def test_a_slow_drain_keeps_its_lease(worker: Any, make_task: Any, engines: EngineLog, settings: Any) -> None:
    """A step longer than the lease, found by a look of its own and not by a bell; then SIGTERM."""
    blind = {"ENGINES": "image=tests.engines.EngineThatBelievesItIsDone", "ENGINE_STEP_SECONDS": "2"}
    leaving: Process = worker(**blind)
    task = make_task()
    eventually(lambda: engines.of("begin", task))
    leaving.popen.terminate()
    rival: Process = worker()
    assert leaving.popen.wait(30) == 0
    (task,) = finished(task)
    assert (task.status, task.attempt) == ("completed", 1), rival.log.read_text()[-2000:]
