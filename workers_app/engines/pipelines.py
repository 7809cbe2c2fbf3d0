"""What the diffusers engines share: load a pipeline, ask it what it takes, follow it, make do with less memory."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers_app.engines import device, standins
from workers_app.engines.base import EngineError, ModelUnavailable, OnStep, OutOfMemory, Step
from workers_app.engines.cache import ModelCache, folder_of, size_on_disk
from workers_app.engines.native import parameters

if TYPE_CHECKING:
    import torch

NOTHING, TILING, OFFLOAD = "", "vae_tiling", "model_offload"


@dataclass
class Loaded:
    """A warm pipeline, the others made from its parts, and what it has learned about this device's memory."""

    name: str
    pipe: Any
    cache: ModelCache
    derived: dict[str, Any] = field(default_factory=dict)
    ran_out_at: dict[str, int] = field(default_factory=dict)
    is_offloaded: bool = False

    @property
    def components(self) -> dict[str, Any]:
        """The parts, by name, as a pipeline has them."""
        parts: dict[str, Any] = self.pipe.components
        return parts

    def derive(self, name: str, make: Callable[[Any], Any]) -> Any:
        """Another pipeline from the same parts, made once."""
        if name not in self.derived:
            self.derived[name] = _quietly(make(self.pipe))
        return self.derived[name]


@dataclass(frozen=True)
class Outcome:
    """What a pipeline gave, the asked arguments that it does not take, and what had to be saved for it."""

    output: Any
    left_out: tuple[str, ...]
    saving: str


def warm(cache: ModelCache, model: str, *, on_step: OnStep) -> Loaded:
    """The pipeline of a folder, hub id or stand-in, loaded unless it is warm.

    Raises:
        ModelUnavailable: it does not load here.
    """
    on_step(Step("loading", 0))
    source = standins.resolve(model, cache.models_folder) if cache.models_folder else model
    loaded = cache.get(model, lambda: _load(source, name=model, cache=cache), expected_bytes=size_on_disk(source))
    on_step(Step("loading", 1))
    return loaded


def run(
    loaded: Loaded, pipe: Any, *, asked: Mapping[str, Any], own: Mapping[str, Any], follow: Callable[[int, int], None]
) -> Outcome:
    """Call a pipeline with what it takes of `asked` and `own`; `follow` is told each step done, and of how many.

    What `follow` raises ends the call within that step. Out of memory: again with less, and from the start with as
    much less when a request of this size comes next, so that equal requests stay equal to the pixel.

    Raises:
        OutOfMemory: with every saving tried.
    """
    taken = parameters(pipe)
    arguments = {name: value for name, value in {**asked, **own}.items() if name in taken and value is not None}
    arguments |= _step_arguments(pipe, follow)
    left_out = tuple(name for name, value in asked.items() if value not in (None, "") and name not in taken)
    work = _work(arguments)
    for saving in _savings(loaded, work):
        output = _attempt(loaded, pipe, arguments, saving=saving)
        if output is None and loaded.cache.keep_only(loaded.name):
            output = _attempt(loaded, pipe, arguments, saving=saving)
        if output is not None:
            return Outcome(output, left_out, saving)
        loaded.ran_out_at[saving] = min(work, loaded.ran_out_at.get(saving, work))
    raise OutOfMemory(f"This device has too little memory for {loaded.name} at this size, with every saving tried.")


def generator(seed: int) -> "torch.Generator":
    """Random numbers of the CPU, whatever the device: the same seed gives the same noise on every worker."""
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def rebuilt(pipe: Any, kind: type) -> Any:
    """A pipeline of another class from the parts of this one.

    Not `from_pipe`: it turns all weights to float32 unless told, and refuses a VAE of another class.
    """
    names = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    parts = {name: part for name, part in pipe.components.items() if name in names}
    options = {name: value for name, value in pipe.config.items() if name in names and name not in parts}
    return kind(**parts, **options)


def _load(source: str, *, name: str, cache: ModelCache) -> Loaded:
    from diffusers import DiffusionPipeline

    _silence()
    here = device.best()
    try:
        pipe = DiffusionPipeline.from_pretrained(
            source, torch_dtype=here.dtype, variant=_variant(source), trust_remote_code=False
        )
        loaded = Loaded(name, _quietly(pipe), cache)
        _place(loaded, here.name)
    except EngineError:
        raise
    except Exception as error:  # a bad folder or hub id fails in a dozen ways, KeyError and AttributeError among them
        if device.is_out_of_memory(error):
            raise OutOfMemory(f"This device has too little memory to load {name}.") from error
        raise ModelUnavailable(f"The model {name} does not load on this worker ({type(error).__name__}).") from error
    return loaded


def _place(loaded: Loaded, name: str) -> None:
    try:
        loaded.pipe.to(name)
        return
    except Exception as error:
        if name != "cuda" or not device.is_out_of_memory(error):
            raise
    loaded.pipe.to("cpu")
    _offload(loaded, loaded.pipe)


def _variant(source: str) -> str | None:
    """`fp16` for a folder that holds nothing else."""
    folder = folder_of(source)
    files = [path.name for path in folder.glob("*/*.safetensors")] if folder else []
    return "fp16" if files and all(".fp16." in name for name in files) else None


def _quietly(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    if "requires_safety_checker" in pipe.config and pipe.components.get("safety_checker") is None:
        pipe.register_to_config(requires_safety_checker=False)
    return pipe


@functools.cache
def _silence() -> None:
    """The libraries' progress bars and advice do not belong into a worker's log."""
    import warnings

    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"diffusers|transformers|huggingface_hub")


def _step_arguments(pipe: Any, follow: Callable[[int, int], None]) -> dict[str, Any]:
    """Today's callback where the pipeline has it, else the older one, else none: then there are only boundaries."""
    taken = parameters(pipe)

    def ended(pipe: Any, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        follow(index + 1, _total(pipe))
        return tensors

    def passed(index: int, _timestep: Any, _latents: Any) -> None:
        follow(index + 1, _total(pipe))

    if "callback_on_step_end" in taken:
        return {"callback_on_step_end": ended}
    return {"callback": passed, "callback_steps": 1} if "callback" in taken else {}


def _total(pipe: Any) -> int:
    scheduler = pipe.components.get("scheduler")
    steps = len(getattr(scheduler, "timesteps", ())) // getattr(scheduler, "order", 1)
    return int(getattr(pipe, "num_timesteps", None) or steps or 1)


def _attempt(loaded: Loaded, pipe: Any, arguments: Mapping[str, Any], *, saving: str) -> Any:
    """The pipeline's output, or None when the device ran out of memory."""
    if saving == OFFLOAD and not loaded.is_offloaded:
        _offload(loaded, pipe)
    arguments = {**arguments, **_fresh(arguments)}
    with _tiling(pipe) if saving else contextlib.nullcontext():
        try:
            return pipe(**arguments)
        except BaseException as error:
            if hasattr(pipe, "maybe_free_model_hooks"):
                pipe.maybe_free_model_hooks()  # what an interrupted call leaves on the GPU
            if not device.is_out_of_memory(error):
                raise
    # Only here, after the except clause, has the traceback let go of the tensors.
    device.free_unused()
    return None


def _fresh(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A generator is used up by a call: another try starts from its seed again."""
    used = arguments.get("generator")
    return {"generator": generator(used.initial_seed())} if used is not None else {}


def _savings(loaded: Loaded, work: int) -> list[str]:
    steps = [NOTHING, TILING, OFFLOAD] if device.best().name == "cuda" else [NOTHING, TILING]
    return [saving for saving in steps if work < loaded.ran_out_at.get(saving, work + 1)] or steps[-1:]


def _work(arguments: Mapping[str, Any]) -> int:
    """Pixels, or pixels of all frames, or seconds: what grows with the request, within one pipeline."""
    numbers = [arguments.get(name) for name in ("width", "height", "num_frames", "audio_end_in_s", "audio_length_in_s")]
    product = 1.0
    for number in numbers:
        product *= number or 1
    return int(product)


def _offload(loaded: Loaded, pipe: Any) -> None:
    pipe.enable_model_cpu_offload()
    loaded.is_offloaded = True


@contextlib.contextmanager
def _tiling(pipe: Any) -> Iterator[None]:
    vae = pipe.components.get("vae")
    _switch(vae, "enable")
    try:
        yield
    finally:
        _switch(vae, "disable")


def _switch(vae: Any, verb: str) -> None:
    for saving in ("tiling", "slicing"):
        with contextlib.suppress(NotImplementedError):  # how a VAE says that it cannot
            getattr(vae, f"{verb}_{saving}", lambda: None)()
