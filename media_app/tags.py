"""Who made a file and from what: the tags in its own metadata, as each format keeps them."""

import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from media_app.facts import PICTURES, format_of

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

XMP_ROOM = 65_000  # bytes: one JPEG segment holds 64 KiB, its header included

_KEY = re.compile(r"[a-z][a-z0-9_]*")
# Neither XML nor ID3 can carry these; a lone surrogate cannot be written as UTF-8 at all.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# What FFmpeg writes by itself into every MP4, MP3 and WAV.
_MUXER_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time"})
_XMP_VALUE = re.compile(r"<aimovie:(\w+)>(.*?)</aimovie:\1>", re.DOTALL)
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:aimovie="urn:aimovie:tags#">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
{values}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def plain(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags as every format can keep them: no control characters, newlines as \\n, nothing empty.

    Raises:
        ValueError: a key that is no lower-case word, or that FFmpeg keeps for itself.
    """
    for key in tags:
        if not _KEY.fullmatch(key) or key in _MUXER_KEYS:
            raise ValueError(f"{key!r} cannot be the name of a tag; use a lower-case word such as prompt.")
    values = {key: _UNPRINTABLE.sub("", re.sub("\r\n?", "\n", str(value))) for key, value in tags.items()}
    return {key: value for key, value in values.items() if value}


def xmp(tags: Mapping[str, str]) -> bytes:
    """For JPEG and WEBP: the tags in our own namespace, the title also where every viewer looks for it.

    A JPEG keeps one segment of it, so the longest value is cut by halves until all fit.
    """
    values = "\n".join(f"<aimovie:{key}>{escape(value)}</aimovie:{key}>" for key, value in tags.items())
    packet = _XMP.format(title=escape(tags.get("title", "")), values=values).encode()
    if len(packet) <= XMP_ROOM:
        return packet
    longest = max(tags, key=lambda key: len(tags[key]))
    return xmp({**tags, longest: tags[longest][: len(tags[longest]) // 2] + "…"})


def png_text(tags: Mapping[str, str]) -> "PngInfo":
    """For PNG: one UTF-8 text chunk per tag, `Title` as the specification spells it."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in tags.items():
        chunks.add_itxt(key.capitalize(), value)
    return chunks


def container_tags(tags: Mapping[str, str], kind: str) -> dict[str, str]:
    """For MP4, MP3 and WAV. WAV knows only a fixed few names, so its comment holds them all, as JSON."""
    if kind != "WAV" or not tags:
        return dict(tags)
    title = {"title": tags["title"]} if "title" in tags else {}
    return {**title, "comment": json.dumps(dict(tags), ensure_ascii=False)}


def read_tags(path: Path) -> dict[str, str]:
    """The tags that were written into the file at `path`, by their names; empty where there are none."""
    kind = format_of(path)
    if kind in PICTURES:
        return _picture_tags(path)
    import av

    with av.open(str(path)) as container:
        found = {key.lower(): value for key, value in container.metadata.items() if key not in _MUXER_KEYS}
    if kind == "WAV" and found.get("comment", "").startswith("{"):
        return {str(key): str(value) for key, value in json.loads(found["comment"]).items()}
    return found


def _picture_tags(path: Path) -> dict[str, str]:
    from PIL import Image

    with Image.open(path) as image:
        if image.format == "PNG":
            return {str(key).lower(): str(value) for key, value in getattr(image, "text", {}).items()}
        packet: bytes = image.info.get("xmp", b"")
    return {key: unescape(value) for key, value in _XMP_VALUE.findall(packet.decode("utf-8", "replace"))}
