"""What a worker does while it works, when it is asked to stop a task, and when a task cannot be done."""

import time
from typing import Any

import pytest
from redis import Redis

from aimovie.celery import app
from media_app.models import MediaResult
from tasks_app import lifecycle
from tasks_app.models import Attempt
from tests.acceptance.conftest import EngineLog, Process, eventually, finished, status_of
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
    attempt = Attempt.objects.get(task=task)
    assert attempt.execution is not None
    assert attempt.execution.status == "FAILURE"
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
