"""How each kind of video pipeline is led through a storyboard."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media_app.frames import fit
from workers_app.engines import pipelines
from workers_app.engines.base import InputUnavailable, InvalidInput, VideoRequest
from workers_app.engines.native import parameters

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Storyboard:
    """How one kind of pipeline takes pictures.

    `way` is what they become: `image`, the first frame of one clip each, joined; `video`, a film from each to the next
    that the model paints over; `conditions`, frames of one clip. `through` names the pipeline that does it, if it is
    another one made from the same parts; `frames` the most it makes at once, where its call has no default.
    """

    way: str
    through: str | None = None
    frames: int | None = None


STORYBOARD_PIPELINES: dict[str, Storyboard] = {
    "AnimateDiffPipeline": Storyboard("video", through="AnimateDiffVideoToVideoPipeline", frames=16),
    "AnimateDiffVideoToVideoPipeline": Storyboard("video", frames=16),
    "CogVideoXPipeline": Storyboard("video", through="CogVideoXVideoToVideoPipeline", frames=49),
    "CogVideoXVideoToVideoPipeline": Storyboard("video", frames=49),
    "CogVideoXImageToVideoPipeline": Storyboard("image"),
    "HunyuanVideoImageToVideoPipeline": Storyboard("image"),
    "I2VGenXLPipeline": Storyboard("image"),
    "LTXConditionPipeline": Storyboard("conditions"),
    "LTXImageToVideoPipeline": Storyboard("image"),
    "LTXPipeline": Storyboard("image", through="LTXImageToVideoPipeline"),
    "StableVideoDiffusionPipeline": Storyboard("image"),
    "WanImageToVideoPipeline": Storyboard("image"),
    "WanPipeline": Storyboard("video", through="WanVideoToVideoPipeline", frames=81),
    "WanVideoToVideoPipeline": Storyboard("video", frames=81),
}
"""The pipelines that take storyboard images, any number of them; the others refuse them."""

NONE = Storyboard("none")
STRENGTH = 0.5  # of painting over: less shows the cross-fades, more forgets the pictures
JOIN = 4  # frames in which one clip becomes the next


def of(loaded: pipelines.Loaded, request: VideoRequest) -> Storyboard:
    """How this pipeline goes through the request's pictures.

    Raises:
        InvalidInput: it takes none, or needs one and there is none.
    """
    name = type(loaded.pipe).__name__
    board = STORYBOARD_PIPELINES.get(name)
    if not request.storyboard_images:
        if _needs_pictures(loaded.pipe):
            raise InvalidInput(f"The model {request.model} ({name}) needs at least one of storyboard_images.")
        return NONE
    if board is None:
        able = ", ".join(STORYBOARD_PIPELINES)
        raise InvalidInput(
            f"The model {request.model} ({name}) takes no storyboard_images; models of these can: {able}."
        )
    return board


def pipeline(loaded: pipelines.Loaded, board: Storyboard) -> Any:
    """The pipeline to call: the warm one, or its sibling from the same parts."""
    if board.through is None:
        return loaded.pipe
    import diffusers

    kind = getattr(diffusers, board.through)
    return loaded.derive(board.through, lambda pipe: pipelines.rebuilt(pipe, kind))


def calls(board: Storyboard, request: VideoRequest, *, size: tuple[int, int], count: int) -> list[dict[str, Any]]:
    """The arguments of each clip's call, beside those that all have."""
    pictures = [fit(_opened(path), *size) for path in request.storyboard_images]
    if board.way == "image":
        return [{"image": picture} for picture in pictures]
    if board.way == "video":
        return [{"video": spread(pictures, count), "strength": STRENGTH}]
    if board.way == "conditions":
        return [{"conditions": _conditions(pictures, count)}]
    return [{}]


def spread(pictures: "list[Image]", count: int) -> "list[Image]":
    """A film of `count` frames that begins with the first picture, ends with the last, and stays a while at each."""
    from PIL import Image

    film = []
    for number in range(count):
        place = number / max(1, count - 1) * (len(pictures) - 1)
        before = min(int(place), len(pictures) - 1)
        after = min(before + 1, len(pictures) - 1)
        # Held for a quarter of the way on both sides, so that the fade takes half of it.
        share = min(1.0, max(0.0, (place - before) * 2 - 0.5))
        film.append(Image.blend(pictures[before], pictures[after], share))
    return film


def joined(clips: "list[list[Image]]") -> "list[Image]":
    """One film of all clips, each fading into the next."""
    from PIL import Image

    film = clips[0]
    for clip in clips[1:]:
        overlap = min(JOIN, len(film) // 4, len(clip) // 4)
        kept = len(film) - overlap
        fade = [
            Image.blend(old, new, (number + 1) / (overlap + 1))
            for number, (old, new) in enumerate(zip(film[kept:], clip[:overlap], strict=True))
        ]
        film = [*film[:kept], *fade, *clip[overlap:]]
    return film


def _conditions(pictures: "list[Image]", count: int) -> list[Any]:
    """LTX takes pictures at frames that are multiples of 8, as its VAE squeezes time by 8."""
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

    gaps = max(1, len(pictures) - 1)
    places = [round(number * (count - 1) / gaps / 8) * 8 for number in range(len(pictures))]
    return [
        LTXVideoCondition(image=picture, frame_index=place) for picture, place in zip(pictures, places, strict=True)
    ]


def _needs_pictures(pipe: Any) -> bool:
    taken = parameters(pipe)
    board = STORYBOARD_PIPELINES.get(type(pipe).__name__)
    is_required = any(name in taken and taken[name].default is taken[name].empty for name in ("image", "video"))
    paints_over = board is not None and board.way == "video" and board.through is None
    return is_required or paints_over or type(pipe).__name__ == "LTXImageToVideoPipeline"


def _opened(path: Path) -> "Image":
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputUnavailable("One of the storyboard_images is not a picture that can be read.") from error
