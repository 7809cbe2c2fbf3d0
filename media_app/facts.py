"""What a media file is, read back from the file itself: recognised by content, decoded to its end."""

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The web process imports `Facts`, and is installed without av and Pillow: functions load them.
if TYPE_CHECKING:
    from av.container import InputContainer

CONTENT_TYPES = {
    "MP4": "video/mp4",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "MP3": "audio/mpeg",
    "WAV": "audio/wav",
}
EXTENSIONS = {"MP4": "mp4", "JPEG": "jpg", "PNG": "png", "WEBP": "webp", "MP3": "mp3", "WAV": "wav"}
PICTURES = frozenset({"JPEG", "PNG", "WEBP"})


class Undecodable(ValueError):
    """The file is not a whole film, picture or sound."""


@dataclass(frozen=True)
class Facts:
    """One file: bytes, seconds, "WIDTHxHEIGHT", frames and samples per second; None for what it does not have."""

    format: str
    file_size: int
    duration: float | None = None
    resolution: str | None = None
    fps: float | None = None
    sample_rate: int | None = None

    @property
    def content_type(self) -> str:
        """`video/mp4` and its kind, for HTTP and storage."""
        return CONTENT_TYPES[self.format]

    @property
    def extension(self) -> str:
        """What a file name of this format ends in, without the dot."""
        return EXTENSIONS[self.format]


def format_of(path: Path) -> str | None:
    """The format by content, whatever the name says; None for a format that we do not write."""
    with Path(path).open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF":
        return {b"WEBP": "WEBP", b"WAVE": "WAV"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "MP4"
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"ID3": "MP3"}
    named = next((name for start, name in starts.items() if head.startswith(start)), None)
    # An MP3 without tags begins with a frame: eleven bits of sync, then a version, then layer III.
    is_mp3_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return named or ("MP3" if is_mp3_frame else None)


def probe(path: Path) -> Facts:
    """The facts of a file as it was written.

    A cut is found in every format; damage within it only where the format can tell (a JPEG decodes grey, and is whole).

    Raises:
        Undecodable: the file is cut off, broken, or of a format that we do not write.
    """
    path = Path(path)
    kind = format_of(path)
    if kind is None:
        raise Undecodable(f"{path.name} is no {', '.join(CONTENT_TYPES)} file.")
    try:
        return _picture(path, kind) if kind in PICTURES else _stream(path, kind)
    except Undecodable:
        raise
    except Exception as error:  # decoders raise a dozen kinds on broken bytes, SyntaxError and IndexError among them
        raise Undecodable(f"{path.name} is not a whole {kind} file ({error}).") from error


def threads() -> int:
    """For a codec: more than eight give a film no speed, and a worker's other cores feed its GPU."""
    return min(8, os.cpu_count() or 1)


def _picture(path: Path, kind: str) -> Facts:
    from PIL import Image

    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:  # `verify` leaves an image unusable
        image.load()
        return Facts(kind, path.stat().st_size, resolution=f"{image.width}x{image.height}")


def _stream(path: Path, kind: str) -> Facts:
    import av

    with av.open(str(path)) as container:
        return _film(container, path) if kind == "MP4" else _sound(container, path, kind)


def _film(container: "InputContainer", path: Path) -> Facts:
    from av import VideoFrame

    film, sound = container.streams.video[0], next(iter(container.streams.audio), None)
    streams = [stream for stream in (film, sound) if stream]
    for stream in streams:
        _read_strictly(stream)
    frames = sum(isinstance(frame, VideoFrame) for frame in container.decode(*streams))
    if not frames or frames != film.frames or not film.average_rate:
        raise Undecodable(f"{path.name} holds {frames} frames of the {film.frames} it should.")
    return Facts(
        "MP4",
        path.stat().st_size,
        duration=float(frames / film.average_rate),
        resolution=f"{film.codec_context.width}x{film.codec_context.height}",
        fps=float(film.average_rate),
        sample_rate=sound.codec_context.sample_rate if sound else None,
    )


def _sound(container: "InputContainer", path: Path, kind: str) -> Facts:
    sound = container.streams.audio[0]
    _read_strictly(sound)
    rate = sound.codec_context.sample_rate
    seconds = Fraction(sum(frame.samples for frame in container.decode(sound)), rate)
    # Both formats decode without complaint when their end is missing, so we read how long their heads say they are.
    is_cut = _declared_size(path) > path.stat().st_size
    if is_cut or not seconds:
        raise Undecodable(f"{path.name} ends after {float(seconds):.2f} s, before its sound does.")
    return Facts(kind, path.stat().st_size, duration=float(seconds), sample_rate=rate)


def _declared_size(path: Path) -> int:
    """Bytes, as a WAV says in its first eight, or the Xing frame of an MP3 behind its tags; 0 for an MP3 without."""
    with path.open("rb") as file:
        head = file.read(10)
        if head.startswith(b"RIFF"):
            return int.from_bytes(head[4:8], "little") + 8
        # Seven bits a byte, so that no tag looks like the start of sound.
        tags = sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:]))) + 10 if head[:3] == b"ID3" else 0
        file.seek(tags)
        found = re.search(rb"(?:Xing|Info)\0\0\0[\x03\x07\x0b\x0f].{4}(.{4})", file.read(256), re.DOTALL)
        return tags + int.from_bytes(found[1], "big") if found else 0


def _read_strictly(stream: Any) -> None:
    """By default FFmpeg paints over what it cannot read and says nothing."""
    stream.codec_context.options = {"err_detect": "explode"}
    stream.codec_context.thread_count = threads()
