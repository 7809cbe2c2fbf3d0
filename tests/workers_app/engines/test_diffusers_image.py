import functools

import numpy as np
import pytest
from PIL import Image

from media_app.encode import read_tags
from workers_app.engines.base import ImageRequest, InputUnavailable, InvalidInput, ModelUnavailable, OutOfMemory
from workers_app.engines.cache import ModelCache
from workers_app.engines.diffusers_image import ImageEngine
from workers_app.engines.pipelines import Loaded


@pytest.fixture
def engine(cache):
    return ImageEngine(cache)


@pytest.fixture
def ask(tmp_path):
    def ask(**fields):
        small = {"model": "stand-in-image", "seed": 1, "folder": tmp_path, "tags": {"title": "Door"}, "width": 192}
        return ImageRequest(**{**small, "height": 112, "prompt": "a red door", "num_inference_steps": 4, **fields})

    return ask


def pixels(artifact):
    with Image.open(artifact.path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def picture(folder, colour, name):
    path = folder / name
    Image.new("RGB", (64, 64), colour).save(path)
    return path


def engine_with(kind, models_folder):
    """An engine whose stand-in is warm already, as a pipeline of another kind."""
    cache = ModelCache(models_folder=models_folder)
    pipe = kind.from_pretrained(models_folder / "stand-in-image")
    pipe.set_progress_bar_config(disable=True)
    cache.get("stand-in-image", lambda: Loaded("stand-in-image", pipe, cache))
    return ImageEngine(cache)


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(engine, ask, steps):
    [first] = engine.generate(ask(), steps)
    before = first.path.read_bytes()
    engine.generate(ask(), steps)
    assert first.path.read_bytes() == before
    engine.generate(ask(seed=2), steps)
    assert first.path.read_bytes() != before


def test_another_prompt_gives_another_picture(engine, ask, steps):
    red, snow = (pixels(engine.generate(ask(prompt=prompt), steps)[0]) for prompt in ("a red car", "snowy mountains"))
    assert np.abs(red - snow).mean() > 10


def test_each_picture_of_a_request_can_be_made_again_alone_by_its_own_seed(engine, ask, steps):
    _, second = engine.generate(ask(seed=5, num_images=2), steps)
    assert second.path.name == "output-2.jpg"
    assert second.generation["seed"] == 6
    [alone] = engine.generate(ask(seed=6), steps)
    assert (pixels(alone) == pixels(second)).all()


@pytest.mark.parametrize("size", [(192, 112), (301, 199), (1024, 576), (90, 160)])
def test_a_picture_has_exactly_the_asked_size(engine, ask, steps, size):
    [artifact] = engine.generate(ask(width=size[0], height=size[1], num_inference_steps=1), steps)
    assert artifact.facts.resolution == f"{size[0]}x{size[1]}"
    assert artifact.generation["rescaled"] is (size != (192, 112))
    width, height = map(int, artifact.generation["native_size"].split("x"))
    assert width % 8 == height % 8 == 0
    assert width * height < 2 * 192 * 112


def test_steps_are_told_from_one_to_the_last_in_order_over_all_pictures(engine, ask, steps):
    engine.generate(ask(num_images=2, num_inference_steps=3), steps)
    assert steps.of("denoising") == [(n, 6) for n in range(1, 7)]
    phases = list(dict.fromkeys(step.phase for step in steps))
    assert phases == ["loading", "denoising", "decoding", "encoding"]


def test_cancelling_stops_within_one_step_and_the_model_works_afterwards(engine, ask, steps, cancel_at, cancelled):
    [artifact] = engine.generate(ask(), steps)
    before = artifact.path.read_bytes()
    cancelling = cancel_at("denoising", 3)
    with pytest.raises(cancelled):
        engine.generate(ask(), cancelling)
    assert cancelling.of("denoising")[-1] == (3, 4)
    engine.generate(ask(), steps)
    assert artifact.path.read_bytes() == before


def test_a_picture_to_start_from_shows_in_the_result(engine, ask, steps, tmp_path):
    red, blue = picture(tmp_path, (200, 20, 20), "red.png"), picture(tmp_path, (20, 20, 200), "blue.png")
    request = {"strength": 0.5, "guidance_scale": 1.0, "num_inference_steps": 8}
    warm, cold = (pixels(engine.generate(ask(init_image=path, **request), steps)[0]) for path in (red, blue))
    assert (warm[..., 0] - warm[..., 2]).mean() > (cold[..., 0] - cold[..., 2]).mean() + 50


def test_a_strength_that_leaves_no_step_is_refused(engine, ask, steps, tmp_path):
    with pytest.raises(InvalidInput, match="strength"):
        engine.generate(ask(init_image=picture(tmp_path, "red", "red.png"), strength=0.1), steps)


def test_a_picture_that_cannot_be_read_is_an_input_error(engine, ask, steps, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG and no more")
    with pytest.raises(InputUnavailable):
        engine.generate(ask(init_image=path), steps)


def test_the_file_says_how_it_was_made(engine, ask, steps):
    [artifact] = engine.generate(ask(format="PNG"), steps)
    assert artifact.path.name == "output.png"
    tags = {"title": "Door", "prompt": "a red door", "seed": "1", "model": "stand-in-image"}
    assert read_tags(artifact.path).items() >= tags.items()


@pytest.mark.parametrize(
    "content", [None, "", "{", '{"_class_name": "NoSuchPipeline"}', '{"unet": ["diffusers", "X"]}']
)
def test_a_folder_that_does_not_load_is_reported_and_the_engine_lives_on(engine, ask, steps, tmp_path, content):
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "model_index.json").write_text(content)
    with pytest.raises(ModelUnavailable, match="does not load"):
        engine.generate(ask(model=str(folder)), steps)
    assert engine.generate(ask(num_inference_steps=1), steps)


@pytest.mark.parametrize("model", ["nobody/has-this-model", "not a model at all", "../up"])
def test_a_model_that_is_nowhere_is_reported(engine, ask, steps, model):
    with pytest.raises(ModelUnavailable, match="does not load"):
        engine.generate(ask(model=model), steps)


def test_a_video_model_makes_no_pictures(engine, ask, steps):
    with pytest.raises(InvalidInput, match="no pictures"):
        engine.generate(ask(model="stand-in-video"), steps)


def test_out_of_memory_is_tried_again_with_tiling_and_at_once_the_next_time(models_folder, ask, steps):
    engine = engine_with(pipeline_that_runs_out_of_memory(until_tiled=True), models_folder)
    [artifact] = engine.generate(ask(), steps)
    assert artifact.generation["saved_memory_by"] == "vae_tiling"
    assert steps.of("denoising") == [(n, 4) for n in range(1, 5)] * 2
    steps.clear()
    engine.generate(ask(), steps)
    assert steps.of("denoising") == [(n, 4) for n in range(1, 5)]


def test_out_of_memory_with_every_saving_tried_is_reported(models_folder, ask, steps):
    engine = engine_with(pipeline_that_runs_out_of_memory(until_tiled=False), models_folder)
    with pytest.raises(OutOfMemory, match="stand-in-image"):
        engine.generate(ask(), steps)


def test_what_a_model_does_not_take_is_left_out_and_said(models_folder, ask, steps):
    engine = engine_with(pipeline_without_negative_prompt(), models_folder)
    [artifact] = engine.generate(ask(negative_prompt="blurry", guidance_scale=3.0), steps)
    assert artifact.generation["not_taken_by_model"] == ["negative_prompt", "guidance_scale"]


def pipeline_that_runs_out_of_memory(*, until_tiled):
    import torch
    from diffusers import StableDiffusionPipeline

    class PipelineThatRunsOutOfMemory(StableDiffusionPipeline):
        @functools.wraps(StableDiffusionPipeline.__call__)
        def __call__(self, *args, **options):
            made = super().__call__(*args, **options)
            if not until_tiled or not self.vae.use_tiling:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            return made

    return PipelineThatRunsOutOfMemory


def pipeline_without_negative_prompt():
    from diffusers import StableDiffusionPipeline

    class PipelineWithoutNegativePrompt(StableDiffusionPipeline):
        def __call__(self, prompt, width=None, height=None, num_inference_steps=50, generator=None):
            return super().__call__(
                prompt, width=width, height=height, num_inference_steps=num_inference_steps, generator=generator
            )

    return PipelineWithoutNegativePrompt
