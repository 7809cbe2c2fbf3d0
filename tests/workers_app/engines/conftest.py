"""Real pipelines, tiny ones; the engines know no Redis and no database, so none is started for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workers_app.engines import standins
from workers_app.engines.base import Step
from workers_app.engines.cache import ModelCache


class Cancelled(Exception):
    """What a runner raises from `on_step`."""


class Steps(list[Step]):
    """Remembers every step, and ends the generation at one of them if told to."""

    def __init__(self, cancel_at: Step | None = None) -> None:
        super().__init__()
        self.cancel_at = cancel_at

    def __call__(self, step: Step) -> None:
        self.append(step)
        if self.cancel_at and (step.phase, step.done) == (self.cancel_at.phase, self.cancel_at.done):
            raise Cancelled

    def of(self, phase: str) -> list[tuple[int, int]]:
        return [(step.done, step.total) for step in self if step.phase == phase]


@pytest.fixture
def store() -> None:
    """In place of the Redis that other tests have."""


@pytest.fixture(scope="session", autouse=True)
def _alone() -> Iterator[None]:
    """One thread, so that times mean something on a busy machine, and no hub."""
    import torch
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in standins.STAND_INS:
        standins.ensure(name, folder)
    return folder


@pytest.fixture(scope="session")
def cache(models_folder: Path) -> ModelCache:
    return ModelCache(models_folder=models_folder)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def cancel_at() -> Any:
    return lambda phase, done: Steps(cancel_at=Step(phase, done))


@pytest.fixture
def cancelled() -> type[Exception]:
    return Cancelled
