"""Films, pictures and sounds, written and then read back by decoders that know nothing of us."""

import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from media_app.encode import probe, write_audio, write_image, write_video

RED = (255, 0, 0)


def frames(count, size=(64, 48), color=RED):
    return [Image.new("RGB", size, color) for _ in range(count)]


def sine(hertz, *, rate, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def decoded(path):
    """Samples of shape (channels, n) from -1 to 1, and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        as_floats = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
        parts = [out.to_ndarray() for frame in container.decode(stream) for out in as_floats.resample(frame)]
        return np.concatenate(parts, axis=1), stream.rate


def loudest_hertz(samples, rate):
    return np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)


def top_level_atoms(path):
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        names.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4])
    return names


# Film


@pytest.mark.parametrize(("count", "fps"), [(1, 24), (2, 24), (49, 24), (7, 30), (10, 25), (5, 1), (61, 60)])
def test_a_film_lasts_exactly_its_frames(tmp_path, count, fps):
    facts = write_video(frames(count), tmp_path / "f.mp4", fps=fps, tags={})
    assert (facts.format, facts.resolution, facts.fps) == ("MP4", "64x48", fps)
    assert facts.duration == pytest.approx(count / fps, abs=1e-9)
    with av.open(str(tmp_path / "f.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.duration * stream.time_base * fps == count
        assert sum(1 for _ in film.decode(stream)) == count


@pytest.mark.parametrize("color", [RED, (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)])
def test_a_color_is_the_same_color_after_decoding(tmp_path, color):
    write_video(frames(3, color=color), tmp_path / "f.mp4", fps=24, tags={})
    with av.open(str(tmp_path / "f.mp4")) as film:
        for frame in film.decode(video=0):
            assert np.abs(np.array(frame.to_image().getpixel((30, 20))) - color).max() <= 4


def test_frames_come_out_in_the_order_they_went_in(tmp_path):
    shades = [Image.new("RGB", (64, 48), (level, level, level)) for level in range(0, 250, 10)]
    write_video(iter(shades), tmp_path / "f.mp4", fps=24, tags={})
    with av.open(str(tmp_path / "f.mp4")) as film:
        levels = [frame.to_image().getpixel((5, 5))[0] for frame in film.decode(video=0)]
    assert np.abs(np.array(levels) - np.arange(0, 250, 10)).max() <= 4


def test_detail_survives(tmp_path):
    gradient = np.linspace(0, 255, 128, dtype=np.uint8)
    picture = Image.fromarray(np.dstack([np.tile(gradient, (96, 1))] * 3))
    write_video([picture] * 4, tmp_path / "f.mp4", fps=24, tags={})
    with av.open(str(tmp_path / "f.mp4")) as film:
        shown = np.asarray(next(film.decode(video=0)).to_image()).astype(float)
    assert np.abs(shown - np.asarray(picture)).mean() < 3


def test_a_film_plays_in_a_browser_before_it_is_loaded(tmp_path):
    write_video(frames(5), tmp_path / "f.mp4", fps=24, tags={})
    atoms = top_level_atoms(tmp_path / "f.mp4")
    assert atoms.index(b"moov") < atoms.index(b"mdat")
    with av.open(str(tmp_path / "f.mp4")) as film:
        context = film.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.profile) == ("h264", "yuv420p", "High")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
    assert b"colrnclx" in (tmp_path / "f.mp4").read_bytes()


def test_on_frame_counts_the_frames_that_are_in(tmp_path):
    told = []
    write_video(frames(4), tmp_path / "f.mp4", fps=24, tags={}, on_frame=told.append)
    assert told == [1, 2, 3, 4]


class Cancelled(Exception):
    pass


def test_a_cancel_from_on_frame_ends_the_film_and_leaves_no_file(tmp_path):
    def cancel(done):
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_video(frames(50), tmp_path / "f.mp4", fps=24, tags={}, on_frame=cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_cannot_be_written_says_why(tmp_path):
    path = tmp_path / "f.mp4"
    with pytest.raises(ValueError, match="at least one frame"):
        write_video([], path, fps=24, tags={})
    with pytest.raises(ValueError, match="63x48: width and height must be even"):
        write_video(frames(1, (63, 48)), path, fps=24, tags={})
    with pytest.raises(ValueError, match="Frame 2 is"):
        write_video(frames(1) + frames(1, (32, 32)), path, fps=24, tags={})
    assert list(tmp_path.iterdir()) == []


def test_frames_with_transparency_are_filmed_too(tmp_path):
    facts = write_video([Image.new("RGBA", (64, 48), (255, 0, 0, 255))] * 2, tmp_path / "f.mp4", fps=24, tags={})
    assert facts.resolution == "64x48"


# Pictures


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_a_picture_is_what_it_was(tmp_path, kind, extension):
    facts = write_image(Image.new("RGB", (80, 41), RED), tmp_path / "p", format=kind, tags={})
    assert (facts.format, facts.extension, facts.resolution) == (kind, extension, "80x41")
    assert facts.content_type == f"image/{kind.lower()}"
    assert facts.file_size == (tmp_path / "p").stat().st_size
    assert (facts.duration, facts.fps, facts.sample_rate) == (None, None, None)
    with Image.open(tmp_path / "p") as image:
        assert image.format == kind
        assert np.abs(np.array(image.convert("RGB").getpixel((40, 20))) - RED).max() <= 3


def test_a_transparent_picture_keeps_its_transparency_where_the_format_has_it(tmp_path):
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    write_image(clear, tmp_path / "p.png", format="PNG", tags={})
    write_image(clear, tmp_path / "p.jpg", format="JPEG", tags={})
    assert Image.open(tmp_path / "p.png").mode == "RGBA"
    assert Image.open(tmp_path / "p.jpg").mode == "RGB"


def test_lower_quality_makes_a_smaller_file(tmp_path):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    small = write_image(noise, tmp_path / "a", quality=40, tags={})
    large = write_image(noise, tmp_path / "b", quality=95, tags={})
    assert small.file_size < large.file_size


def test_a_format_that_we_do_not_write_is_refused(tmp_path):
    with pytest.raises(ValueError, match="use JPEG, PNG or WEBP"):
        write_image(Image.new("RGB", (8, 8)), tmp_path / "p", format="BMP", tags={})
    with pytest.raises(ValueError, match="use MP3 or WAV"):
        write_audio(sine(440, rate=8000), tmp_path / "s", sample_rate=8000, format="OGG", tags={})


# Sound


@pytest.mark.parametrize("kind", ["MP3", "WAV"])
@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
def test_a_tone_of_one_second_is_the_same_tone_for_one_second(tmp_path, kind, rate):
    facts = write_audio(sine(440, rate=rate), tmp_path / "s", sample_rate=rate, format=kind, tags={})
    assert (facts.format, facts.sample_rate, facts.duration) == (kind, rate, pytest.approx(1.0, abs=0.001))
    samples, read_rate = decoded(tmp_path / "s")
    assert (read_rate, len(samples)) == (rate, 1)
    assert loudest_hertz(samples[0], rate) == pytest.approx(440, abs=1)
    assert abs(samples).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("rate", "written"), [(40000, 44100), (96000, 48000), (7000, 8000)])
def test_a_rate_that_mp3_lacks_is_resampled_without_a_change_of_pitch_or_length(tmp_path, rate, written):
    facts = write_audio(sine(440, rate=rate), tmp_path / "s", sample_rate=rate, tags={})
    assert (facts.sample_rate, facts.duration) == (written, pytest.approx(1.0, abs=0.005))
    samples, read_rate = decoded(tmp_path / "s")
    assert loudest_hertz(samples[0], read_rate) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kind", ["MP3", "WAV"])
def test_stereo_keeps_left_and_right_apart(tmp_path, kind):
    both = np.stack([sine(440, rate=24000), sine(880, rate=24000)])
    write_audio(both, tmp_path / "s", sample_rate=24000, format=kind, tags={})
    (left, right), _ = decoded(tmp_path / "s")
    assert loudest_hertz(left, 24000) == pytest.approx(440, abs=1)
    assert loudest_hertz(right, 24000) == pytest.approx(880, abs=1)


def test_what_is_too_loud_is_clipped_and_does_not_wrap_around(tmp_path):
    write_audio(np.full(800, 3.0, np.float32), tmp_path / "s", sample_rate=8000, format="WAV", tags={})
    samples, _ = decoded(tmp_path / "s")
    assert samples.min() > 0.99


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.array([0.0, np.nan], np.float32), "no numbers"),
        (np.array([0.0, np.inf], np.float32), "no numbers"),
        (np.zeros(0, np.float32), "neither"),
        (np.zeros((800, 3), np.float32), "neither"),
    ],
)
def test_samples_that_are_no_sound_are_refused(tmp_path, samples, reason):
    with pytest.raises(ValueError, match=reason):
        write_audio(samples, tmp_path / "s", sample_rate=8000, tags={})
    assert list(tmp_path.iterdir()) == []


def test_the_web_process_can_import_it_with_nothing_heavy_installed():
    heavy = "{'av', 'numpy', 'PIL', 'torch', 'django'}"
    code = f"import sys, media_app.encode, media_app.frames; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_probe_agrees_with_what_the_writers_said(tmp_path):
    assert write_video(frames(3), tmp_path / "f", fps=24, tags={}) == probe(tmp_path / "f")
