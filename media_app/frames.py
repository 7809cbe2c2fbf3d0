"""Pictures made to fit a film: cropped to its shape, stretched over its time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def fit(image: "Image", width: int, height: int) -> "Image":
    """The middle of the picture in exactly this size, RGB; what sticks out is cropped, nothing is distorted."""
    from PIL import Image, ImageOps

    rgb = image.convert("RGB")
    return rgb if rgb.size == (width, height) else ImageOps.fit(rgb, (width, height), Image.Resampling.LANCZOS)


def retime(frames: "Sequence[Image]", *, count: int) -> "Iterator[Image]":
    """`count` frames over the same time: the first and the last are kept, those between are blends of two neighbours.

    One at a time: a minute of film at 60 frames a second would not fit in memory.

    Raises:
        ValueError: no frames, or a count below one.
    """
    if not frames or count < 1:
        raise ValueError(f"{len(frames)} frames cannot become {count}.")
    return iter(frames) if count == len(frames) else _blends(frames, count)


def _blends(frames: "Sequence[Image]", count: int) -> "Iterator[Image]":
    from PIL import Image

    for number in range(count):
        # Whole numbers, so that a frame which falls on its own place stays as sharp as it was.
        before, rest = divmod(number * (len(frames) - 1), max(1, count - 1))
        yield Image.blend(frames[before], frames[before + 1], rest / (count - 1)) if rest else frames[before]
