"""What a model makes by itself: the size of its pictures and the length of its clips, nearest to what was asked."""

import inspect
import math
from typing import Any

# How far from its own number of pixels a model still makes good pictures. A UNet repeats its subject soon beyond its
# training size; transformers, with relative positions, bear more.
UNET_REACH = 1.6
TRANSFORMER_REACH = 2.5
DEFAULT_FRAMES = 16


def parameters(pipe: Any) -> dict[str, inspect.Parameter]:
    """What a pipeline's call takes by name. `**kwargs` do not count: they are there for what is deprecated."""
    named = inspect.signature(type(pipe).__call__).parameters.values()
    return {p.name: p for p in named if p.kind is not inspect.Parameter.VAR_KEYWORD and p.name != "self"}


def native_size(pipe: Any, *, width: int, height: int) -> tuple[int, int]:
    """The size to generate at: of the asked shape, on the model's grid, and with about as many pixels as it can do."""
    scale, pixels = 1.0, _native_pixels(pipe)
    if pixels:
        reach = UNET_REACH if _part(pipe, "unet") is not None else TRANSFORMER_REACH
        ratio = pixels / (width * height)
        scale = 1.0 if 1 / reach <= ratio <= reach else math.sqrt(ratio)
    grid = _grid(pipe)
    return _on_grid(width * scale, grid), _on_grid(height * scale, grid)


def native_frames(pipe: Any, needed: int, *, most: int | None = None) -> int:
    """The frames to generate: as the film needs, but no more than the model makes at once (`most`, if given)."""
    most, step = most or _most_frames(pipe), _temporal_factor(pipe)
    wanted = min(most, max(needed, 1))
    # A video VAE squeezes time as well: it makes one frame and then `step` at a time.
    return min(most, math.ceil((wanted - 1) / step) * step + 1)


def _on_grid(length: float, grid: int) -> int:
    return max(1, round(length / grid)) * grid


def _grid(pipe: Any) -> int:
    factor = _spatial_factor(pipe)
    transformer = _part(pipe, "transformer")
    if transformer is None:
        return factor
    patch = getattr(transformer.config, "patch_size", 1)
    patch = patch[-1] if isinstance(patch, list | tuple) else patch
    # 16 at least: Flux and its kind pack 2 x 2 latents outside the transformer, which says that its patch is 1.
    return max(16, factor * (patch if isinstance(patch, int) else 1))


def _spatial_factor(pipe: Any) -> int:
    names = (
        "vae_scale_factor_spatial",
        "vae_spatial_compression_ratio",
        "vae_spatial_scale_factor",
        "vae_scale_factor",
    )
    return next((int(value) for name in names if (value := getattr(pipe, name, None))), 8)


def _temporal_factor(pipe: Any) -> int:
    names = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio", "vae_temporal_scale_factor")
    return next((int(value) for name in names if (value := getattr(pipe, name, None))), 1)


def _native_pixels(pipe: Any) -> int | None:
    """Width x height of the model's own size: what its network was trained at, else the defaults of its call."""
    latents = _latent_size(pipe)
    if latents:
        return latents[0] * latents[1] * _spatial_factor(pipe) ** 2
    call = parameters(pipe)
    width, height = (call[name].default if name in call else None for name in ("width", "height"))
    return width * height if isinstance(width, int) and isinstance(height, int) else None


def _latent_size(pipe: Any) -> tuple[int, int] | None:
    network = _part(pipe, "unet") or _part(pipe, "transformer")
    config = getattr(network, "config", None)
    width, height = (getattr(config, name, None) for name in ("sample_width", "sample_height"))
    if isinstance(width, int) and isinstance(height, int):
        return width, height
    size = getattr(config, "sample_size", None) or getattr(pipe, "default_sample_size", None)
    if isinstance(size, int):
        return size, size
    return (size[1], size[0]) if isinstance(size, list | tuple) and len(size) == 2 else None


def _most_frames(pipe: Any) -> int:
    """By config where it says so (Stable Video Diffusion, AnimateDiff), and never above the default of the call."""
    unet, adapter = _part(pipe, "unet"), _part(pipe, "motion_adapter")
    stated = (
        getattr(getattr(unet, "config", None), "num_frames", None),
        getattr(getattr(adapter, "config", None), "motion_max_seq_length", None),
        parameters(pipe)["num_frames"].default if "num_frames" in parameters(pipe) else None,
    )
    return min((int(number) for number in stated if isinstance(number, int) and number > 0), default=DEFAULT_FRAMES)


def _part(pipe: Any, name: str) -> Any:
    return getattr(pipe, "components", {}).get(name)
