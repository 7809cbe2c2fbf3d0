"""Lines of dialogue from text, by hibari: English, on any CPU, without a network."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from media_app.encode import write_audio
from media_app.facts import EXTENSIONS
from workers_app.engines import sound
from workers_app.engines.base import Artifact, InvalidInput, ModelUnavailable, OnStep, SpeechRequest, Step
from workers_app.engines.cache import ModelCache

if TYPE_CHECKING:
    from workers_app.engines.sound import Samples

MODELS = ("hibari-tts", "hibari")
LOADED_BYTES = 200_000_000  # measured: the runtime, the voice and the lexicon
PAUSE = 0.25  # seconds between sentences
LONGEST = 400  # phonemes spoken in one breath; more would take seconds in which a cancel goes unnoticed
SLOWEST, FASTEST = 0.25, 4.0


class SpeechEngine:
    """Makes `output.mp3` or `output.wav` in the request's folder, mono, 24 kHz unless asked otherwise."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache

    def generate(self, request: SpeechRequest, on_step: OnStep) -> list[Artifact]:
        """The text, spoken sentence by sentence; the same seed gives the same samples.

        Raises:
            InvalidInput: an unknown voice, language or speed, or a text in which there is nothing to say.
            ModelUnavailable: the voice is not here and cannot be fetched.
        """
        voice = _voice(request)
        if not SLOWEST <= request.speed <= FASTEST:
            raise InvalidInput(f"A speed of {request.speed:g} is not within {SLOWEST:g} to {FASTEST:g}.")
        tts = self._load(request, voice, on_step=on_step)
        spoken, rate = sound.resampled(_speak(tts, request, on_step), tts.sample_rate, to=request.sample_rate)
        on_step(Step("encoding", 0))
        path = request.folder / f"output.{EXTENSIONS[request.format]}"
        facts = write_audio(spoken, path, sample_rate=rate, format=request.format, tags=_tags(request, voice))
        on_step(Step("encoding", 1))
        generation = {"model": request.model, "voice": voice, "seed": request.seed, "speed": request.speed}
        return [Artifact(path, facts, {**generation, "native_sample_rate": tts.sample_rate})]

    def _load(self, request: SpeechRequest, voice: str, *, on_step: OnStep) -> Any:
        from hibari import Hibari
        from hibari.voices import DEFAULT

        if request.model not in MODELS:
            raise ModelUnavailable(f"The speech model {request.model} is not here; there is {MODELS[0]}.")
        on_step(Step("loading", 0))
        key = request.model if voice == DEFAULT else f"{request.model}:{voice}"
        try:
            tts = self._cache.get(key, lambda: Hibari(voice=voice), expected_bytes=LOADED_BYTES)
        except (RuntimeError, OSError) as error:  # hibari's words for a voice that could not be downloaded
            raise ModelUnavailable(f"The voice {voice} is not on this worker and could not be fetched.") from error
        on_step(Step("loading", 1))
        return tts


def _voice(request: SpeechRequest) -> str:
    """The asked voice, or the first that speaks the asked language."""
    from hibari.voices import DEFAULT, VOICES

    if request.voice and request.voice not in VOICES:
        raise InvalidInput(f"There is no voice {request.voice!r}; there are {', '.join(VOICES)}.")
    able = [name for name, about in VOICES.items() if _speaks(about["language"], request.language)]
    if not able:
        languages = ", ".join(sorted({about["language"] for about in VOICES.values()}))
        raise InvalidInput(f"There is no voice for the language {request.language!r}; there are en, {languages}.")
    if request.voice and request.voice not in able:
        spoken = VOICES[request.voice]["language"]
        raise InvalidInput(
            f"The voice {request.voice} speaks {spoken}; {request.language} is spoken by {', '.join(able)}."
        )
    return request.voice or (DEFAULT if DEFAULT in able else able[0])


def _speaks(language: str, asked: str | None) -> bool:
    """`en` is any English; `en_GB` and `EN-gb` are `en-GB`."""
    wanted = (asked or "").replace("_", "-").lower()
    return wanted in {"", language.lower(), language.partition("-")[0].lower()}


def _speak(tts: Any, request: SpeechRequest, on_step: OnStep) -> "Samples":
    """hibari leaves about 0.3 s of silence before and 0.6 s after each sentence: cut, and a short pause put between."""
    import numpy as np

    sentences = [piece for phonemes in tts.phonemize(request.text) for piece in _breaths(phonemes)]
    sentences = [piece for piece in sentences if any(letter.isalpha() for letter in piece)]
    if not sentences:
        raise InvalidInput("There is nothing in this text that can be spoken in English.")
    pause = np.zeros(int(PAUSE * tts.sample_rate), np.float32)
    parts: list[Samples] = []
    for number, phonemes in enumerate(sentences):
        wave = tts.from_phonemes(phonemes, request.speed, request.seed + number)
        parts += [sound.trimmed(wave, sample_rate=tts.sample_rate), pause]
        on_step(Step("speaking", number + 1, len(sentences)))
    return np.concatenate(parts[:-1])


def _breaths(phonemes: str) -> Iterator[str]:
    """Split between words, where hibari found no comma to split at."""
    breath = ""
    for word in phonemes.split(" "):
        if breath and len(breath) + len(word) > LONGEST:
            yield breath
            breath = word
        else:
            breath = f"{breath} {word}".strip()
    yield breath


def _tags(request: SpeechRequest, voice: str) -> dict[str, str]:
    said = {"prompt": request.text, "voice": voice, "seed": str(request.seed), "model": request.model}
    return {**request.tags, **said}
