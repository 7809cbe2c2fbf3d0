"""Facts of the device this process works on, without loading torch."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import psutil


@dataclass(frozen=True)
class Load:
    """`gpu_utilization` 0.0 to 1.0; memory in bytes, the GPU's None where there is none."""

    memory_usage: int
    gpu_utilization: float = 0.0
    gpu_memory: int | None = None


def load() -> Load:
    """What this process and its GPU are doing right now."""
    resident = psutil.Process().memory_info().rss
    device = _device()
    if device is None:
        return Load(resident)
    import pynvml

    try:
        busy = pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
        return Load(resident, busy, pynvml.nvmlDeviceGetMemoryInfo(device).used)
    except pynvml.NVMLError:
        return Load(resident)


@cache
def _device() -> Any:
    """The first GPU that this process may see, by NVML; None without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(0)
    except (ImportError, OSError):
        return None
    except pynvml.NVMLError:
        return None
