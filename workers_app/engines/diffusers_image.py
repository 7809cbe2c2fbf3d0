"""Pictures from words, or from words and a picture, by any text-to-image pipeline that diffusers can load."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media_app.encode import write_image
from media_app.facts import EXTENSIONS
from media_app.frames import fit
from workers_app.engines import pipelines
from workers_app.engines.base import Artifact, ImageRequest, InputUnavailable, InvalidInput, OnStep, Step
from workers_app.engines.cache import ModelCache
from workers_app.engines.native import native_size, parameters

if TYPE_CHECKING:
    from PIL.Image import Image


class ImageEngine:
    """Makes `output.jpg`, `output-2.jpg`, ... in the request's folder.

    Picture number n of a request (from 0) has the seed `request.seed + n`: each can be made again alone, and the same
    request gives the same pixels.
    """

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache

    def generate(self, request: ImageRequest, on_step: OnStep) -> list[Artifact]:
        """The pictures that were asked for, each exactly of the asked size.

        Raises:
            EngineError: with its reason in one sentence.
        """
        loaded = pipelines.warm(self._cache, request.model, on_step=on_step)
        pipe = _pipeline(loaded, request)
        made = [_make(loaded, pipe, request, number, on_step=on_step) for number in range(request.num_images)]
        # Written only when all are made, so that phases follow each other and progress never goes back.
        return [_write(picture, request, number, on_step=on_step) for number, picture in enumerate(made)]


@dataclass(frozen=True)
class _Made:
    image: "Image"
    generation: dict[str, Any]


def _pipeline(loaded: pipelines.Loaded, request: ImageRequest) -> Any:
    """Text to image, or image to image from the same parts: no second load."""
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image

    if {"num_frames", "audio_length_in_s", "audio_end_in_s"} & parameters(loaded.pipe).keys():
        raise InvalidInput(f"The model {request.model} makes no pictures.")
    kind = AutoPipelineForImage2Image if request.init_image else AutoPipelineForText2Image
    try:
        return loaded.derive(kind.__name__, kind.from_pipe)
    except ValueError as error:  # diffusers knows no such pipeline for this model
        if request.init_image:
            raise InvalidInput(f"The model {request.model} cannot start from a picture (init_image).") from error
        return loaded.pipe


def _make(loaded: pipelines.Loaded, pipe: Any, request: ImageRequest, number: int, *, on_step: OnStep) -> _Made:
    size = native_size(pipe, width=request.width, height=request.height)
    outcome = pipelines.run(
        loaded,
        pipe,
        asked=_asked(pipe, request, size),
        own={"width": size[0], "height": size[1], "generator": pipelines.generator(request.seed + number)},
        follow=_follow(request, number, on_step),
    )
    image = _first(outcome.output, request)
    generation = {
        "model": request.model,
        "pipeline": type(pipe).__name__,
        "seed": request.seed + number,
        "native_size": f"{image.width}x{image.height}",
        "rescaled": image.size != (request.width, request.height),
        "not_taken_by_model": list(outcome.left_out),
        "saved_memory_by": outcome.saving or None,
    }
    return _Made(image, generation)


def _write(made: _Made, request: ImageRequest, number: int, *, on_step: OnStep) -> Artifact:
    stem = "output" if number == 0 else f"output-{number + 1}"
    path = request.folder / f"{stem}.{EXTENSIONS[request.format]}"
    tags = {"prompt": request.prompt, "seed": str(request.seed + number), "model": request.model}
    facts = write_image(
        fit(made.image, request.width, request.height),
        path,
        format=request.format,
        quality=request.quality,
        tags={**request.tags, **tags},
    )
    on_step(Step("encoding", number + 1, request.num_images))
    return Artifact(path, facts, made.generation)


def _asked(pipe: Any, request: ImageRequest, size: tuple[int, int]) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
    }
    if not request.init_image:
        return asked
    _check_strength(pipe, request)
    return {**asked, "image": fit(_opened(request.init_image), *size), "strength": request.strength}


def _check_strength(pipe: Any, request: ImageRequest) -> None:
    """Image to image runs the last `strength` part of the steps; diffusers fails in many ways when that is none."""
    taken = parameters(pipe)
    if "strength" not in taken:
        return
    steps = request.num_inference_steps or taken["num_inference_steps"].default
    strength = taken["strength"].default if request.strength is None else request.strength
    if int(steps * strength) < 1:
        raise InvalidInput(f"A strength of {strength} leaves none of the {steps} steps to run; raise one of them.")


def _opened(path: Path) -> "Image":
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputUnavailable("The init_image is not a picture that can be read.") from error


def _follow(request: ImageRequest, number: int, on_step: OnStep) -> Callable[[int, int], None]:
    def follow(done: int, total: int) -> None:
        on_step(Step("denoising", number * total + done, request.num_images * total))
        if done == total and number + 1 == request.num_images:
            on_step(Step("decoding"))

    return follow


def _first(output: Any, request: ImageRequest) -> "Image":
    from PIL import Image

    image = (getattr(output, "images", None) or [None])[0]
    if not isinstance(image, Image.Image):
        raise InvalidInput(f"The model {request.model} makes no pictures.")
    return image
