"""Sound effects and music from words, by any text-to-audio pipeline that diffusers can load."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from media_app.encode import write_audio
from media_app.facts import EXTENSIONS
from workers_app.engines import pipelines, sound
from workers_app.engines.base import Artifact, InvalidInput, OnStep, SoundRequest, Step
from workers_app.engines.cache import ModelCache
from workers_app.engines.native import parameters

if TYPE_CHECKING:
    from workers_app.engines.sound import Samples

# How the pipelines call it: Stable Audio; AudioLDM, AudioLDM 2 and MusicLDM; LongCat; ACE-Step; Stable Audio 3.
SECONDS = ("audio_end_in_s", "audio_length_in_s", "audio_duration_s", "audio_duration", "duration")


class SoundEngine:
    """Makes `output.mp3` or `output.wav` in the request's folder, of exactly the asked duration."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache

    def generate(self, request: SoundRequest, on_step: OnStep) -> list[Artifact]:
        """The sound that was asked for; longer than the model can, it ends in silence.

        Raises:
            EngineError: with its reason in one sentence.
        """
        loaded = pipelines.warm(self._cache, request.model, on_step=on_step)
        pipe = loaded.pipe
        rate, seconds = _sample_rate(pipe, request), min(request.duration, _longest(pipe))
        outcome = pipelines.run(
            loaded,
            pipe,
            asked={
                "prompt": request.prompt,
                "negative_prompt": request.negative_prompt or None,
                "num_inference_steps": request.num_inference_steps,
                "guidance_scale": request.guidance_scale,
            },
            own={
                _seconds_name(pipe, request): seconds,
                "output_type": "np",
                "generator": pipelines.generator(request.seed),
            },
            follow=_follow(on_step),
        )
        made = _samples(outcome.output, request)
        generation = {
            "model": request.model,
            "pipeline": type(pipe).__name__,
            "seed": request.seed,
            "native_duration": round(made.shape[-1] / rate, 3),
            "native_sample_rate": rate,
            "not_taken_by_model": list(outcome.left_out),
            "saved_memory_by": outcome.saving or None,
        }
        return [_write(made, rate, request, generation=generation, on_step=on_step)]


def _write(
    made: "Samples", rate: int, request: SoundRequest, *, generation: dict[str, Any], on_step: OnStep
) -> Artifact:
    on_step(Step("encoding", 0))
    # Resampled first: the length is made exact at the rate of the file.
    samples, rate = sound.resampled(sound.unclipped(made), rate, to=request.sample_rate)
    path = request.folder / f"output.{EXTENSIONS[request.format]}"
    facts = write_audio(
        sound.lasting(samples, request.duration, sample_rate=rate),
        path,
        sample_rate=rate,
        format=request.format,
        tags={**request.tags, "prompt": request.prompt, "seed": str(request.seed), "model": request.model},
    )
    on_step(Step("encoding", 1))
    return Artifact(path, facts, generation)


def _follow(on_step: OnStep) -> Callable[[int, int], None]:
    def follow(done: int, total: int) -> None:
        on_step(Step("denoising", done, total))
        if done == total:
            on_step(Step("decoding"))

    return follow


def _seconds_name(pipe: Any, request: SoundRequest) -> str:
    name = next((name for name in SECONDS if name in parameters(pipe)), None)
    if name is None:
        raise InvalidInput(f"The model {request.model} makes no sound.")
    return name


def _sample_rate(pipe: Any, request: SoundRequest) -> int:
    """Where each kind of model keeps it: its vocoder, its VAE, or the pipeline itself."""
    for owner in (pipe.components.get("vocoder"), pipe.components.get("vae")):
        rate = getattr(getattr(owner, "config", None), "sampling_rate", None)
        if rate:
            return int(rate)
    rate = getattr(pipe, "sample_rate", None)
    if not rate:
        raise InvalidInput(f"The model {request.model} makes no sound.")
    return int(rate)


def _longest(pipe: Any) -> float:
    """Stable Audio refuses more than its transformer's own length; the others have no limit but memory."""
    vae, transformer = (pipe.components.get(name) for name in ("vae", "transformer"))
    if "audio_end_in_s" not in parameters(pipe):
        return float("inf")
    return float(transformer.config.sample_size * vae.hop_length / vae.config.sampling_rate)


def _samples(output: Any, request: SoundRequest) -> "Samples":
    import numpy as np

    audios = getattr(output, "audios", None)
    if audios is None:
        raise InvalidInput(f"The model {request.model} makes no sound.")
    first = audios[0]
    return np.asarray(first.float().cpu() if hasattr(first, "cpu") else first, dtype=np.float32)
