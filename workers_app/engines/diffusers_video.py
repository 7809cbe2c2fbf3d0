"""Films from words and storyboard pictures, by any video pipeline that diffusers can load."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from media_app.encode import write_video
from media_app.frames import fit, retime
from workers_app.engines import pipelines, storyboard
from workers_app.engines.base import Artifact, InvalidInput, OnStep, Step, VideoRequest
from workers_app.engines.cache import ModelCache
from workers_app.engines.native import native_frames, native_size

if TYPE_CHECKING:
    from PIL.Image import Image

DECODE_CHUNK = 8  # frames that Stable Video Diffusion and AnimateDiff decode at once: all of them take 40 GB


class VideoEngine:
    """Makes `output.mp4` in the request's folder: exactly round(duration x fps) frames of the asked size."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache

    def generate(self, request: VideoRequest, on_step: OnStep) -> list[Artifact]:
        """The film that was asked for.

        Models make short clips at sizes of their own: the clip is spread over the whole duration, blended where frames
        are missing, and cropped and scaled to the size.

        Raises:
            EngineError: with its reason in one sentence.
        """
        loaded = pipelines.warm(self._cache, request.model, on_step=on_step)
        film = _Film(loaded, request, on_step)
        frames = film.generate()
        count = max(1, round(request.duration * request.fps))
        width, height = (length + length % 2 for length in (request.width, request.height))
        path = request.folder / "output.mp4"
        facts = write_video(
            _stretched(frames, count, size=(width, height)),
            path,
            fps=request.fps,
            tags=_tags(request),
            on_frame=lambda done: on_step(Step("encoding", done, count)),
        )
        generation = film.generation(frames) | {
            "rescaled": frames[0].size != (width, height),
            "interpolated": len(frames) != count,
            "made_even": (width, height) != (request.width, request.height),
        }
        return [Artifact(path, facts, generation)]


class _Film:
    """One request on one pipeline: which calls it takes, and how far they are."""

    def __init__(self, loaded: pipelines.Loaded, request: VideoRequest, on_step: OnStep) -> None:
        self.loaded, self.request, self.on_step = loaded, request, on_step
        self.board = storyboard.of(loaded, request)
        self.pipe = storyboard.pipeline(loaded, self.board)
        self.size = native_size(self.pipe, width=request.width, height=request.height)
        needed = max(1, round(request.duration * request.fps))
        self.count = native_frames(self.pipe, needed, most=self.board.frames)
        self.outcome: pipelines.Outcome | None = None

    def generate(self) -> "list[Image]":
        calls = storyboard.calls(self.board, self.request, size=self.size, count=self.count)
        clips = [self._clip(asked, number, of=len(calls)) for number, asked in enumerate(calls)]
        return storyboard.joined(clips)

    def _clip(self, asked: dict[str, Any], number: int, *, of: int) -> "list[Image]":
        request = self.request
        self.outcome = pipelines.run(
            self.loaded,
            self.pipe,
            asked={
                "prompt": request.prompt,
                "negative_prompt": request.negative_prompt or None,
                "num_inference_steps": request.num_inference_steps,
                "guidance_scale": request.guidance_scale,
                **asked,
            },
            own={
                "width": self.size[0],
                "height": self.size[1],
                "num_frames": self.count,
                "decode_chunk_size": DECODE_CHUNK,
                "output_type": "pil",
                "generator": pipelines.generator(request.seed + number),
            },
            follow=self._follow(number, of),
        )
        return _pictures(self.outcome.output, request)

    def _follow(self, number: int, of: int) -> Callable[[int, int], None]:
        def follow(done: int, total: int) -> None:
            self.on_step(Step("denoising", number * total + done, of * total))
            if done == total and number + 1 == of:
                self.on_step(Step("decoding"))

        return follow

    def generation(self, frames: "list[Image]") -> dict[str, Any]:
        return {
            "model": self.request.model,
            "pipeline": type(self.pipe).__name__,
            "seed": self.request.seed,
            "native_frames": len(frames),
            "native_size": f"{frames[0].width}x{frames[0].height}",
            "storyboard_images": len(self.request.storyboard_images),
            "not_taken_by_model": list(self.outcome.left_out) if self.outcome else [],
            "saved_memory_by": (self.outcome.saving or None) if self.outcome else None,
        }


def _stretched(frames: "list[Image]", count: int, *, size: tuple[int, int]) -> "Iterator[Image]":
    """One frame at a time: an hour of work at full size would not fit into memory at once."""
    for frame in retime(frames, count=count):
        yield fit(frame, *size)


def _pictures(output: Any, request: VideoRequest) -> "list[Image]":
    """The first film's frames, from pictures, an array (f, h, w, c) or a tensor (f, c, h, w) of 0 to 1."""
    import numpy as np
    from PIL import Image

    frames = getattr(output, "frames", None)
    if frames is None:
        raise InvalidInput(f"The model {request.model} makes no films.")
    frames = frames[0]
    if isinstance(frames, list) and isinstance(frames[0], Image.Image):
        return frames
    if hasattr(frames, "permute"):
        frames = frames.permute(0, 2, 3, 1).float().cpu().numpy()
    array = np.stack([np.asarray(frame) for frame in frames])
    if array.dtype != np.uint8:
        array = (array.clip(0, 1) * 255).round().astype(np.uint8)
    return [Image.fromarray(frame) for frame in array]


def _tags(request: VideoRequest) -> dict[str, str]:
    return {**request.tags, "prompt": request.prompt, "seed": str(request.seed), "model": request.model}
