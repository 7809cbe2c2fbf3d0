import multiprocessing
import time

import pytest

from workers_app.engines import standins


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_name_becomes_its_folder_and_another_model_stays_what_it_is(models_folder):
    assert standins.resolve("stand-in-image", models_folder) == str(models_folder / "stand-in-image")
    assert standins.resolve("org/model", models_folder) == "org/model"


@pytest.mark.parametrize("name", standins.STAND_INS)
def test_a_stand_in_is_small_and_the_same_wherever_it_is_built(models_folder, tmp_path, name):
    import torch

    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    built, again = files(models_folder / name), files(standins.ensure(name, tmp_path))
    assert (torch.random.get_rng_state() == before).all()
    assert built == again
    assert sum(map(len, built.values())) < 10_000_000
    assert b"not a trained model" in built["README.md"]


def test_a_stand_in_loads_in_a_moment(models_folder):
    from diffusers import DiffusionPipeline

    started = time.monotonic()
    pipe = DiffusionPipeline.from_pretrained(models_folder / "stand-in-video")
    assert time.monotonic() - started < 2
    assert type(pipe).__name__ == "AnimateDiffPipeline"


def test_two_processes_may_build_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    builders = [context.Process(target=standins.ensure, args=("stand-in-image", tmp_path)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["stand-in-image"]


def test_a_build_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def run_out_of_disk():
        raise OSError("No space left on device")

    monkeypatch.setitem(standins.STAND_INS, "stand-in-image", run_out_of_disk)
    with pytest.raises(OSError, match="No space"):
        standins.ensure("stand-in-image", tmp_path)
    assert not list(tmp_path.iterdir())
