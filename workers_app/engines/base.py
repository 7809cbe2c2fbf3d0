"""What an engine is: a request goes in, described files come out; it knows no model of ours, no Redis and no client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from media_app.encode import Facts


@dataclass(frozen=True)
class Step:
    """One step forward: `denoising`, 18 of 24.

    Phases: fetching, loading, denoising, speaking, decoding, encoding, storing.
    """

    phase: str
    done: int = 0
    total: int = 1


OnStep = Callable[[Step], None]
"""Called at every boundary an engine has. What it raises (cancelled, given up) ends the generation;
engines let it through."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What all requests share. `model` is a folder or a hub id that has been allowed; files go into `folder`;
    `tags` (title, project, task) go into the files' own metadata, the engine adds prompt, seed and model."""

    model: str
    seed: int
    folder: Path
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ImageRequest(Request):
    """Pictures of `width` x `height` pixels. None: the model's own default."""

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    num_images: int = 1
    init_image: Path | None = None
    strength: float | None = None
    format: str = "JPEG"
    quality: int = 90


@dataclass(frozen=True, kw_only=True)
class VideoRequest(Request):
    """A film of `duration` seconds at `fps`, passing through `storyboard_images` in order."""

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    duration: float
    fps: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    storyboard_images: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpeechRequest(Request):
    """A line of dialogue, spoken. `speed` 1.0 is the voice's own."""

    text: str
    voice: str | None = None
    language: str | None = None
    speed: float = 1.0
    sample_rate: int | None = None
    format: str = "MP3"


@dataclass(frozen=True, kw_only=True)
class SoundRequest(Request):
    """A sound effect or music of `duration` seconds."""

    prompt: str
    negative_prompt: str = ""
    duration: float
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sample_rate: int | None = None
    format: str = "MP3"


@dataclass(frozen=True)
class Artifact:
    """A described file on the worker's disk. `facts` were read back from it; `generation` says how it was made."""

    path: Path
    facts: Facts
    generation: Mapping[str, Any]


class EngineError(Exception):
    """Generation failed for a reason that the caller can be told in one sentence."""

    error_code: ClassVar[str] = "internal"


class InvalidInput(EngineError):
    """The request asks for what this engine or model cannot do."""

    error_code = "invalid_input"


class InputUnavailable(EngineError):
    """An input could not be fetched or read."""

    error_code = "input_unavailable"


class ModelUnavailable(EngineError):
    """The model does not load here."""

    error_code = "model_unavailable"


class OutOfMemory(EngineError):
    """The device has too little memory, also with every saving tried."""

    error_code = "out_of_memory"


class Engine(Protocol):
    """One capability of a worker. Made once per process, used by one thread at a time."""

    def generate(self, request: Any, on_step: OnStep) -> list[Artifact]:
        """Make what was asked, calling `on_step` at every boundary.

        Raises:
            EngineError: one sentence for the caller, with its error code.
        """
        ...
