"""Engines named by what goes wrong with them (or nothing), for tests that look at the service and not at the models.

They write real files, quickly, and keep a log of every start and end in `$ENGINE_LOG`, one JSON line each.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from media_app.encode import write_audio, write_image
from workers_app.engines.base import Artifact, EngineError, InputUnavailable, OnStep, Step

STEPS = int(os.environ.get("ENGINE_STEPS", "4"))
STEP_SECONDS = float(os.environ.get("ENGINE_STEP_SECONDS", "0.02"))


def log(event: str, request: Any, **facts: Any) -> None:
    path = os.environ.get("ENGINE_LOG")
    if path:
        line = {"event": event, "task": request.tags["task"], "pid": os.getpid(), "at": time.time(), **facts}
        with Path(path).open("a") as file:
            file.write(json.dumps(line) + "\n")


class QuickEngine:
    """A picture in a few short steps."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def generate(self, request: Any, on_step: OnStep) -> list[Artifact]:
        log("begin", request)
        self.work(request, on_step)
        artifact = self.write(request)
        log("end", request)
        return [artifact]

    def work(self, request: Any, on_step: OnStep) -> None:
        for number in range(1, STEPS + 1):
            on_step(Step("denoising", number, STEPS))
            log("step", request, number=number)
            time.sleep(STEP_SECONDS)

    def write(self, request: Any) -> Artifact:
        from PIL import Image

        path = request.folder / "output.jpg"
        colour = (request.seed % 256, int(os.environ.get("ENGINE_GREEN", "0")), 90)
        facts = write_image(Image.new("RGB", (request.width, request.height), colour), path, tags=request.tags)
        return Artifact(path, facts, {"seed": request.seed, "model": request.model})


class EngineOfTone(QuickEngine):
    """A sound instead of a picture."""

    def write(self, request: Any) -> Artifact:
        import numpy as np

        path = request.folder / "output.mp3"
        samples = np.sin(np.arange(24_000) * 0.05).astype(np.float32)
        facts = write_audio(samples, path, sample_rate=24_000, format="MP3", tags=request.tags)
        return Artifact(path, facts, {"seed": request.seed})


class EngineThatHangs(QuickEngine):
    """Stuck in the model for good: no step ever comes."""

    def work(self, request: Any, on_step: OnStep) -> None:
        while True:
            time.sleep(0.1)


class EngineThatHangsOnce(QuickEngine):
    """Stuck the first time, well the second."""

    def work(self, request: Any, on_step: OnStep) -> None:
        marker = Path(os.environ["ENGINE_LOG"]).with_suffix(f".{request.tags['task']}")
        if not marker.exists():
            marker.touch()
            while True:
                time.sleep(0.1)
        super().work(request, on_step)


class EngineThatCannotReadItsInput(QuickEngine):
    def work(self, request: Any, on_step: OnStep) -> None:
        raise InputUnavailable("https://example.org/a.png could not be read: it answered 404.")


class EngineThatCrashes(QuickEngine):
    """A bug in the model's code."""

    def work(self, request: Any, on_step: OnStep) -> None:
        raise KeyError("up_blocks.3")


class EngineOutOfMemory(QuickEngine):
    def work(self, request: Any, on_step: OnStep) -> None:
        class Full(EngineError):
            error_code = "out_of_memory"

        raise Full("The device has too little memory for 1024x1024.")


class EngineThatBelievesItIsDone(QuickEngine):
    """Reports no step at all, and so learns of nothing until the end."""

    def work(self, request: Any, on_step: OnStep) -> None:
        time.sleep(STEPS * STEP_SECONDS)
