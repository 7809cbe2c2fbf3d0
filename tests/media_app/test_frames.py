"""Pictures made to fit, and frames over a longer or shorter time."""

import pytest
from PIL import Image

from media_app.frames import fit, retime


def level(value):
    return Image.new("RGB", (4, 4), (value, value, value))


def levels(frames):
    return [frame.getpixel((1, 1))[0] for frame in frames]


def test_a_wide_picture_keeps_its_middle():
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    square = fit(wide, 50, 50)
    assert square.size == (50, 50)
    assert [square.getpixel(at) for at in [(3, 25), (25, 25), (46, 25)]] == [(0, 0, 255)] * 3


def test_nothing_is_distorted():
    tall = Image.new("RGB", (100, 400), "black")
    tall.paste("white", (25, 175, 75, 225))
    fitted = fit(tall, 200, 200)
    assert fitted.convert("L").point(lambda value: 255 * (value > 128)).getbbox() == (50, 50, 150, 150)


def test_a_picture_that_fits_is_left_alone():
    picture = Image.effect_noise((64, 48), 90).convert("RGB")
    assert fit(picture, 64, 48).tobytes() == picture.tobytes()


def test_a_picture_of_any_mode_becomes_rgb():
    assert [fit(Image.new(mode, (9, 7)), 4, 4).mode for mode in ("L", "RGBA", "P", "CMYK", "1")] == ["RGB"] * 5


@pytest.mark.parametrize("count", [2, 3, 5, 49, 97, 121, 1000])
def test_the_first_and_the_last_frame_are_kept_sharp(count):
    frames = [level(value) for value in range(0, 250, 10)]
    retimed = list(retime(frames, count=count))
    assert len(retimed) == count
    assert retimed[0].tobytes() == frames[0].tobytes()
    assert retimed[-1].tobytes() == frames[-1].tobytes()


def test_frames_between_are_blends_of_their_neighbours():
    assert levels(retime([level(0), level(100)], count=5)) == [0, 25, 50, 75, 100]


def test_frames_that_fall_on_their_own_place_are_themselves():
    frames = [level(value) for value in (0, 100, 7)]
    assert levels(retime(frames, count=5)) == [0, 50, 100, 53, 7]


def test_fewer_frames_are_spread_over_the_same_time():
    assert levels(retime([level(value) for value in range(9)], count=3)) == [0, 4, 8]


def test_the_same_count_changes_nothing():
    frames = [level(1), level(2)]
    assert list(retime(frames, count=2)) == frames


def test_one_frame_can_stand_still_and_many_can_become_one():
    assert levels(retime([level(9)], count=3)) == [9, 9, 9]
    assert levels(retime([level(9), level(1)], count=1)) == [9]


def test_no_frames_cannot_become_a_film():
    with pytest.raises(ValueError, match="0 frames cannot become 5"):
        retime([], count=5)
    with pytest.raises(ValueError, match="1 frames cannot become 0"):
        retime([level(1)], count=0)
