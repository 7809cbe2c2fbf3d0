"""Which models are warm on this device."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from workers_app.engines import device

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
logger = logging.getLogger(__name__)

# Of the device's memory. What is left is for the generation itself, and on a CPU for everything else that runs there.
SHARE_FOR_MODELS = {"cuda": 0.7, "mps": 0.5, "cpu": 0.4}


@dataclass(frozen=True)
class _Warm:
    model: Any
    size: int


class ModelCache:
    """Models that stay loaded, the least recently used leaving first when the budget is spent.

    One thread gets; any thread may read `warm`.
    """

    def __init__(self, budget_bytes: int | None = None, *, models_folder: Path | None = None) -> None:
        """`budget_bytes` None: a share of the device's memory. `models_folder` is where stand-ins are built."""
        self.models_folder = models_folder
        self._budget = budget_bytes
        self._models: OrderedDict[str, _Warm] = OrderedDict()
        self._names: tuple[str, ...] = ()

    @property
    def warm(self) -> tuple[str, ...]:
        """Names of the models that are loaded, the least recently used first."""
        return self._names

    def get(self, key: str, load: Callable[[], T], *, expected_bytes: int = 0) -> T:
        """The warm model, or the one that `load` makes.

        `expected_bytes`, where known, makes room before the load: two large models beside each other fit nowhere.
        A model that is larger than the whole budget is loaded all the same, alone.
        """
        if key in self._models:
            self._models.move_to_end(key)
            self._publish()
            model: T = self._models[key].model
            return model
        self._make_room(expected_bytes)
        model = load()
        size = measure(model) or expected_bytes
        self._make_room(size)
        self._models[key] = _Warm(model, size)
        self._publish()
        return model

    def drop(self, key: str) -> None:
        """Forget a model, for instance one that broke."""
        if self._models.pop(key, None):
            self._publish()
            device.free_unused()

    def keep_only(self, key: str) -> bool:
        """Let go of all the others, when a generation needs the memory; False when there are none."""
        others = [name for name in self._models if name != key]
        for name in others:
            self.drop(name)
        return bool(others)

    def _make_room(self, size: int) -> None:
        while self._models and self._used() + size > self._limit():
            key = next(iter(self._models))
            logger.info("Model %s leaves the device to make room.", key)
            self.drop(key)

    def _used(self) -> int:
        return sum(warm.size for warm in self._models.values())

    def _limit(self) -> int:
        if self._budget is None:
            here = device.best()
            self._budget = int(here.memory_bytes * SHARE_FOR_MODELS[here.name])
        return self._budget

    def _publish(self) -> None:
        # One assignment of a whole tuple: a heartbeat thread that reads it never sees a dictionary change its size.
        self._names = tuple(self._models)


def measure(model: Any) -> int:
    """Bytes of all parameters and buffers of a pipeline's components, or of a module; 0 for what is neither."""
    parts = getattr(model, "components", {"": model})
    modules = [part for part in parts.values() if hasattr(part, "parameters") and hasattr(part, "buffers")]
    tensors = {id(tensor): tensor for module in modules for tensor in _tensors(module)}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _tensors(module: Any) -> "Iterator[Tensor]":
    return chain(module.parameters(), module.buffers())


def size_on_disk(model: str) -> int:
    """Bytes of the weights that a load of this folder or downloaded hub id would read; 0 where it is not on disk."""
    folder = folder_of(model)
    if folder is None:
        return 0
    parts = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    return sum(_weights(part) for part in parts)


def folder_of(model: str) -> Path | None:
    """Where the files of a folder or hub id lie on this machine; None for a hub id that was not downloaded yet."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        index = try_to_load_from_cache(model, "model_index.json")
    except HFValidationError:  # no hub id at all, the load will say so
        return None
    return Path(index).parent if isinstance(index, str) else None


def _weights(part: Path) -> int:
    """A folder may hold the same weights again in an older format or as fp16: only one of each is loaded."""
    for suffix in (".safetensors", ".bin"):
        files = list(part.glob(f"*{suffix}"))
        plain = [file for file in files if ".fp16" not in file.name] or files
        if plain:
            return sum(file.stat().st_size for file in plain)
    return 0
