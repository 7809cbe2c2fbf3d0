import av
import numpy as np
import pytest
from PIL import Image

from workers_app.engines import storyboard
from workers_app.engines.base import InvalidInput, VideoRequest
from workers_app.engines.cache import ModelCache
from workers_app.engines.diffusers_video import VideoEngine, _pictures
from workers_app.engines.pipelines import Loaded


@pytest.fixture
def engine(cache):
    return VideoEngine(cache)


@pytest.fixture
def ask(tmp_path):
    def ask(**fields):
        short = {"model": "stand-in-video", "seed": 1, "folder": tmp_path, "tags": {}, "width": 192, "height": 112}
        return VideoRequest(
            **{**short, "prompt": "rain", "duration": 0.5, "fps": 8, "num_inference_steps": 2, **fields}
        )

    return ask


@pytest.fixture
def pictures(tmp_path):
    def pictures(*colours):
        for colour in colours:
            Image.new("RGB", (160, 90), colour).save(tmp_path / f"{colour}.png")
        return tuple(tmp_path / f"{colour}.png" for colour in colours)

    return pictures


def frames(path):
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)])


def redness(frame):
    return frame[..., 0].mean() - frame[..., 2].mean()


def engine_with(pipe, name="a-model"):
    pipe.set_progress_bar_config(disable=True)
    cache = ModelCache()
    cache.get(name, lambda: Loaded(name, pipe, cache))
    return VideoEngine(cache)


def test_a_film_has_exactly_the_asked_frames_and_size(engine, ask, steps):
    [artifact] = engine.generate(ask(duration=2.3, fps=10, width=320, height=180, num_inference_steps=1), steps)
    assert artifact.path.name == "output.mp4"
    assert len(frames(artifact.path)) == 23
    assert (artifact.facts.resolution, artifact.facts.fps, artifact.facts.duration) == ("320x180", 10, 2.3)
    made = artifact.generation
    assert (made["native_frames"], made["native_size"]) == (16, "192x112")
    assert made["interpolated"]
    assert made["rescaled"]
    assert steps.of("encoding")[-1] == (23, 23)


def test_a_film_shorter_than_the_models_clip_takes_only_the_frames_it_needs(engine, ask, steps):
    [artifact] = engine.generate(ask(), steps)
    assert artifact.generation["native_frames"] == len(frames(artifact.path)) == 4
    assert not artifact.generation["interpolated"]


def test_an_odd_size_is_made_even_and_said(engine, ask, steps):
    [artifact] = engine.generate(ask(width=191, height=111, num_inference_steps=1), steps)
    assert artifact.facts.resolution == "192x112"
    assert artifact.generation["made_even"]


def test_the_same_seed_gives_the_same_film_and_another_seed_another(engine, ask, steps):
    films = []
    for seed in (1, 1, 2):
        [artifact] = engine.generate(ask(seed=seed), steps)
        films.append(frames(artifact.path))
    assert (films[0] == films[1]).all()
    assert (films[0] != films[2]).any()


def test_a_film_passes_near_its_storyboard_in_order(engine, ask, steps, pictures):
    board = pictures("red", "blue")
    [artifact] = engine.generate(
        ask(storyboard_images=board, duration=1, fps=8, num_inference_steps=6, guidance_scale=1.0), steps
    )
    film = frames(artifact.path)
    assert redness(film[0]) > redness(film[-1]) + 80
    assert artifact.generation["pipeline"] == "AnimateDiffVideoToVideoPipeline"
    assert artifact.generation["storyboard_images"] == 2


def test_the_storyboard_pipeline_shares_the_warm_models_parts(engine, ask, steps, pictures, cache):
    engine.generate(ask(storyboard_images=pictures("red")), steps)
    loaded = cache.get("stand-in-video", lambda: pytest.fail("it should be warm"))
    [sibling] = [pipe for name, pipe in loaded.derived.items() if name == "AnimateDiffVideoToVideoPipeline"]
    assert sibling.unet is loaded.pipe.unet


def test_cancelling_stops_within_one_step_and_the_model_works_afterwards(engine, ask, steps, cancel_at, cancelled):
    cancelling = cancel_at("denoising", 3)
    with pytest.raises(cancelled):
        engine.generate(ask(num_inference_steps=5), cancelling)
    assert cancelling.of("denoising") == [(1, 5), (2, 5), (3, 5)]
    assert engine.generate(ask(num_inference_steps=1), steps)


def test_cancelling_while_the_film_is_written_leaves_no_file(engine, ask, cancel_at, cancelled, tmp_path):
    with pytest.raises(cancelled):
        engine.generate(ask(num_inference_steps=1), cancel_at("encoding", 2))
    assert not list(tmp_path.iterdir())


def test_a_pipeline_that_takes_no_storyboard_refuses_it_in_a_sentence(models_folder, ask, steps, pictures):
    from diffusers import AnimateDiffPipeline

    class PipelineWithoutStoryboards(AnimateDiffPipeline):
        pass

    engine = engine_with(PipelineWithoutStoryboards.from_pretrained(models_folder / "stand-in-video"))
    with pytest.raises(InvalidInput, match=r"takes no storyboard_images.*WanImageToVideoPipeline"):
        engine.generate(ask(model="a-model", storyboard_images=pictures("red")), steps)


def test_a_picture_model_makes_no_films(engine, ask, steps):
    with pytest.raises(InvalidInput, match="no films"):
        engine.generate(ask(model="stand-in-image"), steps)


def test_an_image_to_video_model_makes_one_clip_per_picture_and_joins_them(ask, steps, pictures):
    engine = engine_with(tiny_stable_video_diffusion())
    request = ask(model="a-model", storyboard_images=pictures("red", "blue"), duration=1, width=64, height=64)
    [artifact] = engine.generate(request, steps)
    assert len(frames(artifact.path)) == 8
    assert steps.of("denoising") == [(n, 4) for n in range(1, 5)]
    assert artifact.generation["native_frames"] == 7  # two clips of four, one frame shared
    assert artifact.generation["not_taken_by_model"] == ["prompt"]


def test_an_image_to_video_model_needs_a_picture(ask, steps):
    with pytest.raises(InvalidInput, match="needs at least one"):
        engine_with(tiny_stable_video_diffusion()).generate(ask(model="a-model"), steps)


def test_a_spread_storyboard_holds_each_picture_and_fades_between():
    red, blue = (Image.new("RGB", (2, 2), colour) for colour in ("red", "blue"))
    film = [frame.getpixel((0, 0)) for frame in storyboard.spread([red, blue], 9)]
    assert film[:3] == [(255, 0, 0)] * 3
    assert film[-3:] == [(0, 0, 255)] * 3
    assert 100 < film[4][0] < 155
    assert storyboard.spread([red], 3) == [red] * 3


def test_frames_are_understood_as_pictures_as_arrays_and_as_tensors(ask):
    import torch

    class Output:
        def __init__(self, frames):
            self.frames = [frames]

    array = np.zeros((2, 4, 6, 3), dtype=np.float32)
    array[1, ..., 0] = 1.0
    kinds = [
        array,
        torch.from_numpy(array).permute(0, 3, 1, 2),
        [Image.fromarray((f * 255).astype("u1")) for f in array],
    ]
    for kind in kinds:
        made = _pictures(Output(kind), ask())
        assert [picture.getpixel((0, 0)) for picture in made] == [(0, 0, 0), (255, 0, 0)]
        assert made[0].size == (6, 4)


def tiny_stable_video_diffusion():
    import torch
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        EulerDiscreteScheduler,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=8,
        num_frames=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=8,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
    )
    vae = AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"), latent_channels=4
    )
    seeing = CLIPVisionConfig(
        hidden_size=32,
        projection_dim=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=224,
        intermediate_size=37,
        patch_size=32,
    )
    return StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=CLIPVisionModelWithProjection(seeing),
        unet=unet,
        scheduler=EulerDiscreteScheduler(prediction_type="v_prediction", timestep_spacing="leading"),
        feature_extractor=CLIPImageProcessor(),
    )
