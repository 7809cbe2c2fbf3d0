"""Who made a file and from what, written into it and read back out."""

import wave
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from media_app.encode import read_tags, write_audio, write_image, write_video

ALL = ["JPEG", "PNG", "WEBP", "MP4", "MP3", "WAV"]
TAGS = {
    "title": "Шторм 🎬 <рассвет> & \"tea\" 'n' 山",
    "project": "film-1",
    "task": "0190b5a2-0000-7000-8000-000000000001",
    "prompt": "  a detective\nin a dark alley;\n\nrain = heavy \\ # 100% 👩‍🚀 ünï ",
    "seed": "18446744073709551615",
    "model": "stabilityai/sd-turbo",
    "negative_prompt": '{"not": "json"}',
    "comment": "take 2",
}


def written(folder, kind, tags):
    path, image = folder / "file", Image.new("RGB", (64, 48), "navy")
    if kind == "MP4":
        write_video([image] * 3, path, fps=24, tags=tags)
    elif kind in {"MP3", "WAV"}:
        write_audio(np.zeros(8000, np.float32), path, sample_rate=8000, format=kind, tags=tags)
    else:
        write_image(image, path, format=kind, tags=tags)
    return path


@pytest.mark.parametrize("kind", ALL)
def test_tags_come_back_as_they_went_in(tmp_path, kind):
    assert read_tags(written(tmp_path, kind, TAGS)) == TAGS


@pytest.mark.parametrize("kind", ALL)
def test_a_very_long_prompt_comes_back_whole(tmp_path, kind):
    tags = {"title": "t", "prompt": "дождь & 🌧\n" * 2000}
    assert read_tags(written(tmp_path, kind, tags)) == tags


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_prompt_beyond_what_a_picture_holds_is_cut_and_the_rest_stays(tmp_path, kind):
    found = read_tags(written(tmp_path, kind, {"title": "t", "prompt": "a" * 200_000, "seed": "7"}))
    assert (found["title"], found["seed"]) == ("t", "7")
    assert found["prompt"].startswith("a" * 20_000)
    assert found["prompt"].endswith("…")


@pytest.mark.parametrize("kind", ALL)
def test_without_tags_there_are_none(tmp_path, kind):
    assert read_tags(written(tmp_path, kind, {})) == {}


@pytest.mark.parametrize("kind", ALL)
def test_what_no_format_can_carry_is_left_out(tmp_path, kind):
    tags = {"prompt": "one\x00\x1b two\r\nthree\ud83d\ufffe", "project": "", "seed": "\x00"}
    assert read_tags(written(tmp_path, kind, tags)) == {"prompt": "one two\nthree"}


@pytest.mark.parametrize("key", ["", "Title", "two words", "a:b", "encoder", "major_brand", "é"])
def test_a_name_that_some_format_would_lose_is_refused(tmp_path, key):
    with pytest.raises(ValueError, match="cannot be the name of a tag"):
        written(tmp_path, "MP4", {key: "x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_the_title_is_where_every_viewer_looks_for_it(tmp_path, kind):
    with Image.open(written(tmp_path, kind, TAGS)) as image:
        packet = ElementTree.fromstring(image.info["xmp"].decode())
    title = packet.find(".//{http://purl.org/dc/elements/1.1/}title//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
    assert title.text == TAGS["title"]
    assert packet.find(".//{urn:aimovie:tags#}seed").text == TAGS["seed"]


@pytest.mark.parametrize("kind", ["MP4", "MP3", "WAV"])
def test_players_find_the_title(tmp_path, kind):
    with av.open(str(written(tmp_path, kind, TAGS))) as container:
        assert container.metadata["title"] == TAGS["title"]


def test_a_png_names_its_title_as_the_specification_does(tmp_path):
    with Image.open(written(tmp_path, "PNG", TAGS)) as image:
        assert image.text["Title"] == TAGS["title"]


def test_tags_do_not_keep_plain_readers_from_a_wav(tmp_path):
    with wave.open(str(written(tmp_path, "WAV", TAGS))) as sound:
        assert (sound.getnframes(), sound.getsampwidth(), sound.getframerate()) == (8000, 2, 8000)
