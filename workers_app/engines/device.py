"""Which device does the work here, in which number format, and how much memory it has."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Device:
    """`name` as torch spells it (cuda, mps, cpu); `memory_bytes` is what it has in all."""

    name: str
    dtype: "torch.dtype"
    memory_bytes: int


@cache
def best() -> Device:
    """The GPU where there is one. CPUs compute in float32: half precision is slower there, and has gaps."""
    import torch

    if torch.cuda.is_available():
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return Device("cuda", dtype, torch.cuda.get_device_properties(0).total_memory)
    if torch.backends.mps.is_available():
        return Device("mps", torch.float16, _ram())
    return Device("cpu", torch.float32, _ram())


def free_unused() -> None:
    """Give back what nothing refers to any more; torch otherwise keeps it, and cycles keep pipelines alive."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has an error of its own; the CPU's and Metal's are a RuntimeError and its words."""
    import torch

    words = ("not enough memory", "can't allocate memory", "out of memory")
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


def _ram() -> int:
    """The machine's memory, or the container's share of it where that is less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else "max"
    return min(total, int(limit)) if limit.isdigit() else total
