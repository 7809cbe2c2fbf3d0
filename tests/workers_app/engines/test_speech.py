import av
import numpy as np
import pytest

from workers_app.engines.base import InvalidInput, ModelUnavailable, SpeechRequest
from workers_app.engines.speech import SpeechEngine


@pytest.fixture
def engine(cache):
    return SpeechEngine(cache)


@pytest.fixture
def ask(tmp_path):
    def ask(text="Who is there? Nobody answers.", **fields):
        return SpeechRequest(
            **{"model": "hibari-tts", "seed": 1, "folder": tmp_path, "tags": {}, "text": text, **fields}
        )

    return ask


def samples(path):
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)]).astype(float) / 32768


def test_two_sentences_are_heard_without_long_silence_at_the_ends(engine, ask, steps):
    [artifact] = engine.generate(ask(format="WAV"), steps)
    wave = samples(artifact.path)
    rate = artifact.facts.sample_rate
    heard = np.flatnonzero(np.abs(wave) > 0.02)
    assert rate == 24000
    assert np.sqrt((wave**2).mean()) > 0.01
    assert heard[0] < 0.15 * rate
    assert len(wave) - heard[-1] < 0.25 * rate
    assert steps.of("speaking") == [(1, 2), (2, 2)]


def test_the_same_seed_gives_the_same_samples(engine, ask, steps):
    first, again, other = (samples(engine.generate(ask(format="WAV", seed=seed), steps)[0].path) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_line_can_be_faster_and_at_another_rate(engine, ask, steps):
    slow, fast = (engine.generate(ask(speed=speed), steps)[0].facts.duration for speed in (0.8, 1.6))
    assert 1.4 < slow / fast < 2.4
    [artifact] = engine.generate(ask(sample_rate=48000), steps)
    assert (artifact.path.name, artifact.facts.sample_rate) == ("output.mp3", 48000)


@pytest.mark.parametrize("language", ["en", "en-US", "EN_us", None])
def test_english_is_spoken_by_the_voice_that_is_here(engine, ask, steps, language):
    [artifact] = engine.generate(ask(language=language), steps)
    assert artifact.generation["voice"] == "heart"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"voice": "gandalf"}, "no voice 'gandalf'; there are heart"),
        ({"language": "fr"}, "no voice for the language 'fr'; there are en, en-GB, en-US"),
        ({"voice": "heart", "language": "en-GB"}, "heart speaks en-US"),
        ({"speed": 9.0}, "speed of 9"),
        ({"text": ""}, "nothing in this text"),
        ({"text": " ...!? "}, "nothing in this text"),
        ({"text": "こんにちは"}, "nothing in this text"),
    ],
)
def test_what_cannot_be_spoken_is_refused_in_a_sentence(engine, ask, steps, fields, words):
    with pytest.raises(InvalidInput, match=words.replace("?", r"\?")):
        engine.generate(ask(**fields), steps)


def test_another_speech_model_is_not_here(engine, ask, steps):
    with pytest.raises(ModelUnavailable, match="hibari-tts"):
        engine.generate(ask(model="bark"), steps)


def test_a_long_line_without_commas_is_spoken_in_breaths(engine, ask, steps, cancel_at, cancelled):
    text = "and then they walked on along the river " * 30
    cancelling = cancel_at("speaking", 2)
    with pytest.raises(cancelled):
        engine.generate(ask(text), cancelling)
    assert cancelling.of("speaking")[0][1] > 2
