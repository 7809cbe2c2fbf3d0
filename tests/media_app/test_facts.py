"""What a file is, told by the file; and cut or broken ones, found out."""

import av
import numpy as np
import pytest
from PIL import Image

from media_app.encode import write_audio, write_image, write_video
from media_app.facts import Undecodable, probe

PICTURES = ["JPEG", "PNG", "WEBP"]
ALL = [*PICTURES, "MP4", "MP3", "WAV"]


def written(folder, kind):
    """A file that is hard to compress, so that every part of it matters."""
    path, chance = folder / "file", np.random.default_rng(1)
    images = [Image.fromarray(chance.integers(0, 255, (96, 128, 3), dtype=np.uint8)) for _ in range(10)]
    if kind == "MP4":
        write_video(images, path, fps=10, tags={"title": "x"})
    elif kind in PICTURES:
        write_image(images[0], path, format=kind, tags={"title": "x"})
    else:
        noise = chance.uniform(-0.5, 0.5, 24000).astype(np.float32)
        write_audio(noise, path, sample_rate=24000, format=kind, tags={"title": "x"})
    return path


@pytest.mark.parametrize("kind", ALL)
def test_a_format_is_known_by_its_content_whatever_its_name(tmp_path, kind):
    path = written(tmp_path, kind).rename(tmp_path / "notes.txt")
    assert probe(path).format == kind


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("kept", [0.99, 0.5, 0.1])
def test_a_file_that_was_cut_off_is_found_out(tmp_path, kind, kept):
    path = written(tmp_path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(Undecodable, match=r"^file .*\.$"):
        probe(path)


@pytest.mark.parametrize("kind", ["PNG", "MP4", "MP3"])
def test_a_file_that_is_broken_in_the_middle_is_found_out(tmp_path, kind):
    path = written(tmp_path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + b"\xff" * (len(data) // 3) + data[len(data) // 3 * 2 :])
    with pytest.raises(Undecodable):
        probe(path)


@pytest.mark.parametrize("content", [b"", b"x", b"<!doctype html>", b"%PDF-1.7 ", b"GIF89a\1\0\1\0", b"RIFF1234AVI "])
def test_what_we_do_not_write_is_no_media_file(tmp_path, content):
    (tmp_path / "film.mp4").write_bytes(content)
    with pytest.raises(Undecodable, match=r"film.mp4 is no MP4, JPEG, .* file\."):
        probe(tmp_path / "film.mp4")


def test_a_film_with_sound_tells_its_sample_rate_too(tmp_path):
    with av.open(str(tmp_path / "f.mp4"), "w") as container:
        film, sound = container.add_stream("libx264", rate=24), container.add_stream("aac", rate=44100, layout="mono")
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        for number in range(24):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(film.encode(frame))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(film.encode(None) + sound.encode(silence) + sound.encode(None))
    facts = probe(tmp_path / "f.mp4")
    assert (facts.fps, facts.sample_rate, facts.duration) == (24, 44100, pytest.approx(1.0))


def test_an_mp3_without_tags_is_an_mp3(tmp_path):
    path = written(tmp_path, "MP3")
    data = path.read_bytes()
    size = int("".join(f"{byte:07b}" for byte in data[6:10]), 2) + 10
    path.write_bytes(data[size:])
    assert probe(path).duration == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [
        ("MP4", "video/mp4", "mp4"),
        ("MP3", "audio/mpeg", "mp3"),
        ("WAV", "audio/wav", "wav"),
        ("JPEG", "image/jpeg", "jpg"),
    ],
)
def test_each_format_has_its_content_type_and_extension(tmp_path, kind, content_type, extension):
    facts = probe(written(tmp_path, kind))
    assert (facts.content_type, facts.extension) == (content_type, extension)
