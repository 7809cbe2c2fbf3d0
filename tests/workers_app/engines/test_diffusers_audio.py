import av
import numpy as np
import pytest

from workers_app.engines import sound
from workers_app.engines.base import InvalidInput, SoundRequest
from workers_app.engines.cache import ModelCache
from workers_app.engines.diffusers_audio import SoundEngine
from workers_app.engines.pipelines import Loaded


@pytest.fixture(params=["AudioLDM", "Stable Audio"])
def engine(request):
    return engine_with({"AudioLDM": tiny_audioldm, "Stable Audio": tiny_stable_audio}[request.param]())


def engine_with(pipe):
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if hasattr(part, "eval"):
            part.eval()  # as a loaded model is; otherwise dropout makes every run another
    cache = ModelCache()
    cache.get("a-model", lambda: Loaded("a-model", pipe, cache))
    return SoundEngine(cache)


@pytest.fixture
def ask(tmp_path):
    def ask(**fields):
        short = {"model": "a-model", "seed": 1, "folder": tmp_path, "tags": {}, "prompt": "rain on a tin roof"}
        return SoundRequest(**{**short, "duration": 0.2, "num_inference_steps": 3, "format": "WAV", **fields})

    return ask


def samples(artifact):
    with av.open(str(artifact.path)) as file:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])


def test_a_sound_lasts_exactly_as_long_as_asked(engine, ask, steps):
    [artifact] = engine.generate(ask(duration=0.2), steps)
    assert artifact.path.name == "output.wav"
    assert artifact.facts.duration == pytest.approx(0.2, abs=0.0001)
    assert steps.of("denoising") == [(1, 3), (2, 3), (3, 3)]
    assert [step.phase for step in steps if step.phase != "denoising"] == ["loading"] * 2 + ["decoding"] + [
        "encoding"
    ] * 2


def test_a_sound_can_have_another_rate_and_be_an_mp3(engine, ask, steps):
    [artifact] = engine.generate(ask(sample_rate=44100, format="MP3"), steps)
    assert (artifact.path.name, artifact.facts.sample_rate) == ("output.mp3", 44100)


def test_the_same_seed_gives_the_same_sound_and_another_seed_another(engine, ask, steps):
    first, again, other = (samples(engine.generate(ask(seed=seed), steps)[0]) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_cancelling_stops_within_one_step_and_the_model_works_afterwards(engine, ask, steps, cancel_at, cancelled):
    cancelling = cancel_at("denoising", 2)
    with pytest.raises(cancelled):
        engine.generate(ask(), cancelling)
    assert cancelling.of("denoising") == [(1, 3), (2, 3)]
    assert engine.generate(ask(), steps)


def test_longer_than_the_model_can_it_ends_in_silence(ask, steps):
    [artifact] = engine_with(tiny_stable_audio()).generate(ask(duration=3), steps)
    assert artifact.facts.duration == pytest.approx(3, abs=0.001)
    assert artifact.generation["native_duration"] < 3
    assert not samples(artifact)[-1000:].any()


def test_a_picture_model_makes_no_sound(cache, ask, steps):
    with pytest.raises(InvalidInput, match="no sound"):
        SoundEngine(cache).generate(ask(model="stand-in-image"), steps)


def test_a_cut_is_faded_and_the_rest_is_silence():
    loud = np.ones((2, 1000), dtype=np.float32)
    cut = sound.lasting(loud, 0.5, sample_rate=1000)
    assert cut.shape == (2, 500)
    assert (cut[:, 0] == 1).all()
    assert (cut[:, -1] == 0).all()
    assert sound.lasting(loud, 1.5, sample_rate=1000).shape == (2, 1500)
    assert (sound.lasting(loud, 1.0, sample_rate=1000) == loud).all()


def test_nothing_is_heard_in_silence():
    assert sound.trimmed(np.zeros(100, np.float32), sample_rate=100).size == 0
    assert sound.trimmed(np.zeros(0, np.float32), sample_rate=100).size == 0


def letters():
    """A vocabulary of single bytes, with the special tokens that the text encoders expect."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]


def tiny_audioldm():
    import torch
    from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        RobertaTokenizer,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    torch.manual_seed(0)
    hearing = ClapTextConfig(
        hidden_size=32,
        projection_dim=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=1,
        vocab_size=300,
        pad_token_id=1,
    )
    voice = SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=16000,
        upsample_initial_channel=16,
        upsample_rates=[2, 2],
        upsample_kernel_sizes=[4, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3, 5]],
        normalize_before=False,
    )
    vocoder = SpeechT5HifiGan(voice)
    vocoder.conv_post.weight.data *= 1000  # random weights whisper below what 16 bits hold
    return AudioLDMPipeline(
        vae=AutoencoderKL(
            block_out_channels=(32, 64),
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
        ),
        text_encoder=ClapTextModelWithProjection(hearing),
        tokenizer=RobertaTokenizer(
            vocab={letter: n for n, letter in enumerate(letters())}, merges=[], model_max_length=77
        ),
        unet=UNet2DConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=32,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=(32, 64),
            class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=32,
            class_embeddings_concat=True,
        ),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        vocoder=vocoder,
    )


def tiny_stable_audio():
    import torch
    from diffusers import (
        AutoencoderOobleck,
        EDMDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    words = T5Config(vocab_size=300, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4)
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in letters()[5:])]
    return StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6,
            downsampling_ratios=[1, 2],
            decoder_channels=3,
            decoder_input_channels=3,
            audio_channels=2,
            channel_multiples=[2, 4],
            sampling_rate=8000,
        ),
        text_encoder=T5EncoderModel(words),
        tokenizer=T5Tokenizer(vocab=vocab, model_max_length=77, extra_ids=0),
        transformer=StableAudioDiTModel(
            sample_size=4000,
            in_channels=3,
            num_layers=2,
            attention_head_dim=4,
            num_key_value_attention_heads=2,
            out_channels=3,
            cross_attention_dim=4,
            time_proj_dim=8,
            global_states_input_dim=8,
            cross_attention_input_dim=4,
            num_attention_heads=2,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(solver_order=2, prediction_type="v_prediction"),
        projection_model=StableAudioProjectionModel(text_encoder_dim=32, conditioning_dim=4, min_value=0, max_value=32),
    )
