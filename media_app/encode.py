"""Frames, samples and pixels into MP4, MP3, JPEG - and back into facts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from media_app.facts import CONTENT_TYPES, PICTURES, Facts, Undecodable, probe, threads
from media_app.tags import container_tags, plain, png_text, read_tags, xmp

# The web process imports this file for `Facts`, and is installed without av, numpy and Pillow: functions load them.
if TYPE_CHECKING:
    import numpy as np
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image

__all__ = ["CONTENT_TYPES", "Facts", "Undecodable", "probe", "read_tags", "write_audio", "write_image", "write_video"]

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BT709, LIMITED = 1, 1  # the numbers of ITU-T H.273, for matrix, primaries and transfer alike; and of FFmpeg's range


def write_image(
    image: "Image",
    path: Path,
    *,
    format: str = "JPEG",  # noqa: A002
    quality: int = 90,
    tags: Mapping[str, str],
) -> Facts:
    """A picture as JPEG, PNG or WEBP. `quality` is 1-100; PNG loses nothing and ignores it."""
    if format not in PICTURES:
        raise ValueError(f"A picture cannot be written as {format}; use JPEG, PNG or WEBP.")
    mode = "RGBA" if format != "JPEG" and image.mode in {"RGBA", "LA", "PA"} else "RGB"
    options: dict[str, Any] = {"pnginfo": png_text(plain(tags))} if format == "PNG" else {"xmp": xmp(plain(tags))}
    if format != "PNG":
        options["quality"] = quality
    if format == "JPEG":  # halved colour blurs red letters, and who asks for 90 wants them sharp
        options |= {"subsampling": "4:4:4" if quality >= 90 else "4:2:0", "optimize": True}
    with _whole(path) as part:
        image.convert(mode).save(part, format=format, **options)
        return probe(part)


def write_video(
    frames: "Iterable[Image]",
    path: Path,
    *,
    fps: int,
    tags: Mapping[str, str],
    on_frame: Callable[[int], None] | None = None,
) -> Facts:
    """A film that starts in a browser before it is loaded: H.264, 4:2:0, BT.709, the index in front.

    It lasts exactly len(frames) / fps seconds. `on_frame` is told how many frames are in, and what it raises ends the
    writing, with no file left.

    Raises:
        ValueError: no frames, frames of different sizes, or an odd width or height, which 4:2:0 cannot halve.
    """
    with _whole(path) as part:
        _write_frames(iter(frames), part, fps=fps, tags=plain(tags), on_frame=on_frame or (lambda done: None))
        return probe(part)


def _write_frames(
    frames: "Iterator[Image]", path: Path, *, fps: int, tags: Mapping[str, str], on_frame: Callable[[int], None]
) -> None:
    import av

    first = next(frames, None)
    if first is None or first.width % 2 or first.height % 2:
        raise ValueError("A film needs at least one frame, of even width and height." if first is None else _odd(first))
    # Without use_metadata_tags an MP4 keeps only the names that iTunes knows, and drops the prompt.
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart+use_metadata_tags"}) as container:
        container.metadata.update(container_tags(tags, "MP4"))
        stream = _film_stream(container, first.size, fps)
        for done, image in enumerate(chain([first], frames), start=1):
            if image.size != first.size:
                raise ValueError(f"Frame {done} is {image.size} in size, the frames before it {first.size}.")
            container.mux(stream.encode(_frame(image, number=done - 1, fps=fps)))
            on_frame(done)
        container.mux(stream.encode(None))


def _odd(image: "Image") -> str:
    return f"A film cannot be {image.width}x{image.height}: width and height must be even."


def _film_stream(container: "OutputContainer", size: tuple[int, int], fps: int) -> "VideoStream":
    stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "medium"})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.gop_size = fps * 2  # a scrubbing editor waits for two seconds of film at most
    context.thread_count = threads()
    # Untagged, a player guesses by the size of the picture, and small films come out in other colours than large ones.
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    return stream


def _frame(image: "Image", *, number: int, fps: int) -> "VideoFrame":
    import numpy as np
    from av import VideoFrame

    rgb = VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24")
    frame = rgb.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
    frame.pts, frame.time_base = number, Fraction(1, fps)
    return frame


def write_audio(
    samples: "np.ndarray[Any, Any]",
    path: Path,
    *,
    sample_rate: int,
    format: str = "MP3",  # noqa: A002
    tags: Mapping[str, str],
) -> Facts:
    """Sound of shape (n,) or (channels, n), -1 to 1, as MP3 or 16 bit WAV; louder samples are clipped.

    A rate that MP3 does not have is resampled to the next higher one.

    Raises:
        ValueError: no samples, more than two channels, or samples that are no numbers.
    """
    if format not in {"MP3", "WAV"}:
        raise ValueError(f"Sound cannot be written as {format}; use MP3 or WAV.")
    planes = _planes(samples)
    rate = sample_rate
    if format == "MP3":
        rate = next((known for known in MP3_RATES if known >= sample_rate), MP3_RATES[-1])
    with _whole(path) as part:
        _write_samples(planes, part, rates=(sample_rate, rate), kind=format, tags=container_tags(plain(tags), format))
        return probe(part)


def _planes(samples: "np.ndarray[Any, Any]") -> "np.ndarray[Any, np.dtype[np.float32]]":
    import numpy as np

    planes = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if planes.ndim != 2 or planes.shape[0] > 2 or not planes.size:
        raise ValueError(f"Sound of shape {np.shape(samples)} is neither (n,) nor (channels, n), two at most.")
    if not np.isfinite(planes).all():
        raise ValueError("The sound holds samples that are no numbers (NaN or infinite).")
    return np.ascontiguousarray(planes.clip(-1.0, 1.0))


def _write_samples(
    planes: "np.ndarray[Any, np.dtype[np.float32]]",
    path: Path,
    *,
    rates: tuple[int, int],
    kind: str,
    tags: Mapping[str, str],
) -> None:
    import av

    layout = "mono" if planes.shape[0] == 1 else "stereo"
    muxer, codec = ("mp3", "libmp3lame") if kind == "MP3" else ("wav", "pcm_s16le")
    # ID3v2.3 is what every player reads, old ones included.
    options = {"id3v2_version": "3"} if kind == "MP3" else {}
    with av.open(str(path), "w", format=muxer, options=options) as container:
        container.metadata.update(tags)
        stream = cast("AudioStream", container.add_stream(codec, rate=rates[1], layout=layout))
        if kind == "MP3":
            stream.bit_rate = 192_000  # LAME takes the nearest that the sample rate allows
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rates[0], 0
        container.mux(stream.encode(frame))  # resampled by FFmpeg on the way, where the two rates differ
        container.mux(stream.encode(None))


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file under its own name is complete: it is written beside it, and renamed at the end."""
    part = Path(path).with_name(f"{Path(path).name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
