"""Facts of the device this process works on, without loading torch."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import psutil
from django.conf import settings


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
    """The first GPU that CUDA shows to this process, by NVML, which sees them all; None without a driver."""
    first = settings.CUDA_VISIBLE_DEVICES[0] if settings.CUDA_VISIBLE_DEVICES else "0"
    try:
        import pynvml

        pynvml.nvmlInit()
        by_name = pynvml.nvmlDeviceGetHandleByIndex if first.isdigit() else pynvml.nvmlDeviceGetHandleByUUID
        return by_name(int(first) if first.isdigit() else first)
    except (ImportError, OSError):
        return None
    except pynvml.NVMLError:
        return None
