from pathlib import Path

import pytest
import torch

from workers_app.engines import cache as warmth
from workers_app.engines.cache import ModelCache


class Pipe:
    """One component of that many bytes."""

    def __init__(self, size):
        self.components = {"unet": torch.nn.Linear(size // 4, 1, bias=False), "scheduler": object(), "nothing": None}


class Loads(list):
    """Remembers what was loaded, and what was warm at that moment."""

    def __init__(self, cache):
        super().__init__()
        self.cache = cache

    def __call__(self, key, size=400, **known):
        def load():
            self.append((key, self.cache.warm))
            return Pipe(size)

        return self.cache.get(key, load, **known)


def test_a_warm_model_is_not_loaded_again():
    cache = ModelCache(1000)
    load = Loads(cache)
    assert load("a") is load("a")
    assert len(load) == 1


def test_the_least_recently_used_leaves_when_the_budget_is_spent():
    cache = ModelCache(1000)
    load = Loads(cache)
    for key in ("a", "b", "a", "c"):
        load(key)
    assert cache.warm == ("a", "c")


def test_room_is_made_before_the_load_where_the_size_is_known():
    cache = ModelCache(1000)
    load = Loads(cache)
    load("a")
    load("b", 800, expected_bytes=800)
    load("c", 800)
    assert load == [("a", ()), ("b", ()), ("c", ("b",))]
    assert cache.warm == ("c",)


def test_a_model_larger_than_the_budget_is_loaded_alone():
    cache = ModelCache(1000)
    load = Loads(cache)
    load("a")
    load("huge", 4000)
    assert cache.warm == ("huge",)


def test_a_load_that_fails_leaves_nothing_behind():
    cache = ModelCache(1000)
    Loads(cache)("a")
    with pytest.raises(FileNotFoundError):
        cache.get("broken", Path("/no such file").read_bytes)
    assert cache.warm == ("a",)


def test_all_others_can_be_let_go():
    cache = ModelCache(2000)
    load = Loads(cache)
    load("a")
    load("b")
    assert cache.keep_only("b")
    assert cache.warm == ("b",)
    assert not cache.keep_only("b")


def test_an_evicted_model_is_really_gone():
    import weakref

    cache = ModelCache(1000)
    gone = weakref.ref(Loads(cache)("a").components["unet"])
    Loads(cache)("b", 800)
    assert gone() is None


def test_parts_that_are_shared_are_counted_once():
    pipe = Pipe(400)
    pipe.components["unet_2"] = pipe.components["unet"]
    assert warmth.measure(pipe) == 400


def test_the_default_budget_is_a_share_of_this_device():
    from workers_app.engines import device

    assert 0 < ModelCache()._limit() < device.best().memory_bytes


def test_the_size_of_a_stand_in_is_known_from_its_files(models_folder, cache):
    from workers_app.engines import pipelines

    folder = models_folder / "stand-in-image"
    loaded = pipelines.warm(cache, "stand-in-image", on_step=lambda step: None)
    assert warmth.size_on_disk(str(folder)) == pytest.approx(warmth.measure(loaded), rel=0.05)
    assert warmth.size_on_disk("nobody/has-this") == 0


def test_only_one_format_of_the_same_weights_counts(tmp_path):
    unet = tmp_path / "unet"
    unet.mkdir()
    for name, size in (("model.safetensors", 10), ("model.fp16.safetensors", 5), ("model.bin", 10)):
        (unet / name).write_bytes(b"x" * size)
    assert warmth.size_on_disk(str(tmp_path)) == 10
