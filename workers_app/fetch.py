"""Bytes from an address that a stranger gave us, fetched so that it can hurt nobody."""

import base64
import hashlib
import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import httpcore2

from workers_app.engines.base import InputUnavailable, InvalidInput
from workers_app.guard import GuardedBackend, Refused, authority

if TYPE_CHECKING:
    from PIL.Image import Image

MIB = 2**20
MAX_REDIRECTS = 3
MAX_SCANS = 100  # of a JPEG: ten are usual, and each costs a pass over all pixels
# `identity`: a few kilobytes of gzip can hold gigabytes.
HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "aimovie-task-service"}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # no EPS or PDF: Pillow hands those to other programs

_KEPT = "/?%:=&~+!$,;'@()*[]"  # what an address means something by; all else becomes percent-encoded
_DATA = re.compile(r"data:image/[\w.+-]+(;[\w.+-]+=[\w.+-]*)*;base64,", re.IGNORECASE)


def fetch_image(
    url: str,
    folder: Path,
    *,
    allowed_private_hosts: frozenset[str] = frozenset(),
    limit_bytes: int = 32 * MIB,
    limit_seconds: float = 30,
    max_pixels: float = 64e6,
) -> Path:
    """A picture at an http, https or `data:image/...;base64,` URL, as an RGB PNG in `folder`, named by its content.

    It is turned as its EXIF says, an animation is its first frame, and transparency is laid on white.
    `allowed_private_hosts` ("host" or "host:port") may be private addresses: for development.

    Raises:
        InvalidInput: the address is refused, or what it holds is too large or no picture.
        InputUnavailable: nothing arrived in time; another try may help.
    """
    if url[:5].lower() == "data:":
        data = _embedded(url, limit_bytes)
    else:
        backend = GuardedBackend(allowed_private_hosts, deadline=time.monotonic() + limit_seconds)
        with _explained(url, limit_seconds):
            data = _download(url, backend, limit_bytes)
    path = folder / f"input-{hashlib.sha256(data).hexdigest()[:16]}.png"
    _picture(data, url, max_pixels).save(path, format="PNG", compress_level=1)
    return path


def short(url: str) -> str:
    """The URL as it may stand in an error or a log: cut to 120 characters, without credentials and query."""
    if url[:5].lower() == "data:":
        return f"{url[:40].partition(',')[0]},… ({len(url)} characters)"
    address = re.sub(r"//[^/?#]*@", "//", re.sub(r"[^!-~]", "_", url))
    address = re.split(r"[?#]", address, maxsplit=1)[0]
    return address if len(address) <= 120 else f"{address[:119]}…"


def _embedded(url: str, limit_bytes: int) -> bytes:
    head = _DATA.match(url)
    if not head:
        raise InvalidInput(f"{short(url)} is not understood; embed a picture as data:image/png;base64,...")
    if (len(url) - head.end()) * 3 // 4 > limit_bytes:
        raise _too_large(url, limit_bytes)
    try:
        return base64.b64decode("".join(unquote(url[head.end() :]).split()), validate=True)
    except ValueError as error:
        raise InvalidInput(f"{short(url)} is not valid base64; send the picture whole.") from error


def _download(url: str, backend: GuardedBackend, limit_bytes: int) -> bytes:
    """Follows redirects by hand, since each hop is an address from a stranger again."""
    address = url
    for _ in range(MAX_REDIRECTS + 1):
        target = _checked(address, url)
        headers = [*HEADERS.items(), ("Host", authority(target.host.decode(), target.port))]
        with (
            httpcore2.ConnectionPool(network_backend=backend, max_connections=1) as pool,
            pool.stream("GET", target, headers=headers) as answer,
        ):
            location = _header(answer, b"location")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                return _body(answer, url, limit_bytes)
            address = urljoin(address, location)
    raise InvalidInput(f"{short(url)} redirects more than {MAX_REDIRECTS} times; give the address it ends at.")


def _checked(address: str, url: str) -> httpcore2.URL:
    """Built from our own reading, so that no second parser can see another host in the same address."""
    if re.search(r"[\x00-\x20\x7f\\]", address):
        raise InvalidInput(f"{short(url)} holds spaces, control characters or backslashes; percent-encode them.")
    try:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"}:
            raise InvalidInput(f"{short(url)} is not an http, https or data:image address, or leads to none.")
        host, port = _ascii_host(parts), parts.port
    except ValueError as error:
        raise InvalidInput(f"{short(url)} is not a valid address.") from error
    if "@" in parts.netloc:
        raise InvalidInput(f"{short(url)} carries a user name; give an address that needs none, such as a signed one.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore2.URL(scheme=parts.scheme, host=host, port=port, target=quote(target, safe=_KEPT))


def _ascii_host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")


def _body(answer: httpcore2.Response, url: str, limit_bytes: int) -> bytes:
    if answer.status != 200:
        raise InputUnavailable(f"{short(url)} answered {answer.status}; it must answer 200 without a login.")
    if _header(answer, b"content-encoding").lower() not in {"", "identity"}:
        raise InvalidInput(f"{short(url)} came compressed though we asked for it plain; serve the picture as it is.")
    length = _header(answer, b"content-length")
    if length.isdigit() and int(length) > limit_bytes:
        raise _too_large(url, limit_bytes)
    data = bytearray()
    for chunk in answer.iter_stream():
        data += chunk
        if len(data) > limit_bytes:  # whatever Content-Length said
            raise _too_large(url, limit_bytes)
    return bytes(data)


def _header(answer: httpcore2.Response, name: bytes) -> str:
    return next((value.decode("latin-1").strip() for key, value in answer.headers if key.lower() == name), "")


def _too_large(url: str, limit_bytes: int) -> InvalidInput:
    return InvalidInput(f"{short(url)} is larger than {limit_bytes / MIB:.4g} MiB; send a smaller picture.")


def _picture(data: bytes, url: str, max_pixels: float) -> "Image":
    from PIL import Image, ImageOps

    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MAX_SCANS:
        raise InvalidInput(f"{short(url)} is a JPEG of more than {MAX_SCANS} scans; save it again as a plain one.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:  # known from the header: nothing is unpacked yet
                raise _too_many_pixels(url, max_pixels)
            image.verify()
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _flat(ImageOps.exif_transpose(image))
    except (InvalidInput, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(url, max_pixels) from error
    except Exception as error:  # Pillow raises a dozen kinds on bytes made to confuse it
        wanted = ", ".join(FORMATS)
        raise InvalidInput(f"{short(url)} is not a whole picture that can be read; send {wanted}.") from error


def _too_many_pixels(url: str, max_pixels: float) -> InvalidInput:
    return InvalidInput(f"{short(url)} has more than {max_pixels / 1e6:.4g} million pixels; send a smaller picture.")


def _flat(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits per channel, which `convert` would clip to white
        return image.convert("F").point(lambda value: value / 256).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


@contextmanager
def _explained(url: str, limit_seconds: float) -> Iterator[None]:
    """What goes wrong on the way, as one sentence."""
    try:
        yield
    except Refused as error:
        raise InvalidInput(
            f"{short(url)} leads to an address that is not public; give a public one, or have its host allowed in "
            "ALLOWED_PRIVATE_HOSTS."
        ) from error
    except httpcore2.TimeoutException as error:
        raise InputUnavailable(f"{short(url)} did not arrive within {limit_seconds:g} seconds.") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise InputUnavailable(f"{short(url)} could not be fetched ({error or type(error).__name__}).") from error
