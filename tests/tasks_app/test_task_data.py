"""What each type of task may be asked."""

from typing import Any

import pytest
from rest_framework.serializers import ValidationError

from tasks_app import task_data
from tasks_app.models import TaskType

IMAGE, VIDEO, AUDIO = TaskType.IMAGE, TaskType.VIDEO, TaskType.AUDIO
MEDIA = "media:0193b5c4-7a1e-7c3f-8d2a-000000000001"


@pytest.fixture(autouse=True)
def models(settings: Any) -> None:
    settings.MODELS = {IMAGE: ["painter", "acme/painter-xl"], VIDEO: ["filmer"], AUDIO: []}
    settings.SPEECH_MODEL = "speaker"


def check(kind: str, **data: Any) -> dict[str, Any]:
    return task_data.check(kind, data)


def refused(kind: str, **data: Any) -> set[str]:
    """The fields that are named as wrong."""
    with pytest.raises(ValidationError) as error:
        task_data.check(kind, data)
    return set(error.value.detail)


SUBJECT = {IMAGE: {"prompt": "a red door"}, VIDEO: {"prompt": "rain"}, AUDIO: {"text": "Who is there?"}}

GOOD = [
    (IMAGE, {"resolution": "1024x1024", "num_images": 8, "seed": 0, "guidance_scale": 0, "quality": 100}),
    (IMAGE, {"width": 17, "height": 4096, "format": "webp", "num_inference_steps": 500, "strength": 1}),
    (IMAGE, {"init_image": "https://movie.example/a.png", "strength": 0.3, "seed": 2**63 - 1, "model": "painter"}),
    (IMAGE, {"init_image": MEDIA, "model": "acme/painter-xl", "negative_prompt": ""}),
    (IMAGE, {"resolution": "512x256", "width": 512, "height": 256}),
    (VIDEO, {"duration": 7, "fps": 24, "resolution": "1024x576", "seed": 7, "storyboard_images": [MEDIA]}),
    (VIDEO, {"duration": 0.5, "fps": 1, "model": "filmer", "storyboard_images": []}),
    (VIDEO, {"duration": 120, "fps": 60}),
    (AUDIO, {"voice": "detective", "language": "en-GB", "speed": 0.25, "format": "wav", "sample_rate": 48000}),
    (AUDIO, {"pace": "Slow", "model": "speaker"}),
]


@pytest.mark.parametrize(("kind", "data"), GOOD)
def test_good_task_data_pass(kind: str, data: dict[str, Any]) -> None:
    check(kind, **SUBJECT[kind], **data)


BAD: list[tuple[str, str, list[Any]]] = [
    (IMAGE, "prompt", ["", "   ", 7, True, ["a"], {"a": 1}, "x" * 10_001]),
    (IMAGE, "negative_prompt", [7, [], False]),
    (IMAGE, "pose", [7, ["standing"], {}]),
    (IMAGE, "resolution", ["10x", "1024", 1024, [1024, 576], "0x0", "8x8", "15x64", "64x15", "4097x16", "99999x99999",
                           "4096x4096", "1024X1024", "1024x576\n", "", True, "1e3x1e3", "-512x512"]),
    (IMAGE, "width", [0, -64, 15, 4097, "512", 512.5, True, 10**9]),
    (IMAGE, "num_images", [0, 9, -1, "1", 1.5, True]),
    (IMAGE, "num_inference_steps", [0, -1, 501, "20", 2.5, True, 2**62]),
    (IMAGE, "guidance_scale", [-0.1, 101, "7.5", True, []]),
    (IMAGE, "seed", [-1, "7", 7.5, True, 2**63, []]),
    (IMAGE, "strength", [-0.1, 1.1, "0.5", True]),
    (IMAGE, "quality", [0, 101, "90", 90.5, True]),
    (IMAGE, "format", ["GIF", "MP4", "", 7, True]),
    (IMAGE, "init_image", ["a.png", "file:///etc/passwd", 7, ["https://movie.example/a.png"], ""]),
    (IMAGE, "model", ["filmer", "unknown", "", 7, "PAINTER", "../../etc", True]),
    (VIDEO, "duration", [0, 0.0, -1, 0.05, 3600, 121, "7", True, [7]]),
    (VIDEO, "fps", [0, -24, 61, "24", 23.976, True]),
    (VIDEO, "resolution", ["1023x576", "1024x575", "wide", "8x8"]),
    (VIDEO, "model", ["painter", "unknown", "speaker"]),
    (VIDEO, "storyboard_images", ["https://movie.example/a.png", {}, 7, True, [7], [None], [[]], ["a.png"], [""],
                                  [MEDIA, "ftp://movie.example/a.png"], [MEDIA] * 33]),
    (AUDIO, "text", ["", " ", 7, True, ["Hello."], "x" * 10_001]),
    (AUDIO, "voice", ["", 7, "x" * 101, True]),
    (AUDIO, "language", ["", 7, "x" * 36]),
    (AUDIO, "speed", [0, 0.2, 4.1, -1, "1", True]),
    (AUDIO, "pace", ["quick", "", 7, True]),
    (AUDIO, "sample_rate", [0, 7999, 48001, "24000", 24000.5, True]),
    (AUDIO, "format", ["JPEG", "OGG", ""]),
    (AUDIO, "duration", [0, -1, 301, 3600, "7", True]),
    (AUDIO, "model", ["painter", "unknown", 7]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value"), [(kind, name, value) for kind, name, vs in BAD for value in vs])
def test_a_bad_value_is_refused_by_the_name_of_its_field(kind: str, name: str, value: Any) -> None:
    assert name in refused(kind, **{**SUBJECT[kind], name: value})


@pytest.mark.parametrize("kind", [IMAGE, VIDEO, AUDIO])
@pytest.mark.parametrize("data", [{}, {"prompt": None, "text": None}, {"seed": 7}])
def test_without_words_there_is_nothing_to_make(kind: str, data: dict[str, Any]) -> None:
    assert refused(kind, **data) == {"text"} if kind == AUDIO else {"prompt"}


@pytest.mark.parametrize("kind", [IMAGE, VIDEO])
def test_width_and_height_go_together(kind: str) -> None:
    assert refused(kind, prompt="a", width=512) == {"height"}
    assert refused(kind, prompt="a", height=512, width=None) == {"width"}


def test_two_sizes_that_disagree_are_refused() -> None:
    assert refused(IMAGE, prompt="a", resolution="512x512", width=512, height=256) == {"resolution"}
    assert refused(IMAGE, prompt="a", resolution="512x512", width=512) == {"height"}


def test_a_picture_may_have_odd_sides_a_film_not() -> None:
    assert check(IMAGE, prompt="a", width=513, height=511)["width"] == 513
    assert refused(VIDEO, prompt="a", width=512, height=255) == {"resolution"}


def test_every_fault_is_named_at_once() -> None:
    assert refused(VIDEO, prompt=7, seed="7", fps=0, duration=0) == {"prompt", "seed", "fps", "duration"}


def test_a_bad_storyboard_image_is_named_by_its_place() -> None:
    with pytest.raises(ValidationError) as error:
        check(VIDEO, prompt="a", storyboard_images=[MEDIA, "a.png"])
    assert list(error.value.detail["storyboard_images"]) == [1]


def test_storyboard_images_keep_their_order() -> None:
    images = [f"https://movie.example/{n}.png" for n in (3, 1, 2)]
    assert check(VIDEO, prompt="a", storyboard_images=images)["storyboard_images"] == images


def test_null_is_the_same_as_absent() -> None:
    names = {name for kind, name, _ in BAD if kind == VIDEO} - {"prompt"}
    assert check(VIDEO, prompt="rain", **dict.fromkeys(names)) == check(VIDEO, prompt="rain")


def test_keys_that_nobody_knows_are_no_fault() -> None:
    check(IMAGE, prompt="a", agent_notes={"mood": [None, 1]}, duration="long")


def test_the_other_words_are_worked_into_the_prompt() -> None:
    words = {"style": "film noir", "pose": "leaning on the wall", "camera_angle": "low angle", "lighting": "one lamp"}
    checked = check(IMAGE, prompt="a detective", **words)
    assert checked["prompt"] == "a detective, leaning on the wall, one lamp, low angle, film noir"


@pytest.mark.parametrize("kind", [IMAGE, VIDEO])
@pytest.mark.parametrize("name", ["character_description", "scene_description"])
def test_a_description_stands_in_for_the_prompt(kind: str, name: str) -> None:
    assert check(kind, **{name: "a tall man", "pose": "running"})["prompt"] == "a tall man, running"


def test_the_prompt_comes_before_a_description() -> None:
    assert check(IMAGE, prompt="a door", character_description="a man")["prompt"] == "a door"


def test_empty_words_leave_no_commas() -> None:
    assert check(IMAGE, prompt="a door", pose="", lighting=None, style="  ")["prompt"] == "a door"


@pytest.mark.parametrize(("kind", "size"), [(IMAGE, (1024, 1024)), (VIDEO, (1024, 576))])
def test_a_size_that_nobody_gave_is_the_default(kind: str, size: tuple[int, int]) -> None:
    checked = check(kind, prompt="a")
    assert (checked["width"], checked["height"]) == size


def test_a_resolution_is_read_as_width_and_height() -> None:
    checked = check(VIDEO, prompt="a", resolution="640x360")
    assert (checked["width"], checked["height"]) == (640, 360)


@pytest.mark.parametrize(
    ("data", "speed"),
    [({}, 1.0), ({"pace": "slow"}, 0.8), ({"pace": "FAST"}, 1.25), ({"speed": 2, "pace": "slow"}, 2.0)],
)
def test_pace_in_words_is_a_speed(data: dict[str, Any], speed: float) -> None:
    assert check(AUDIO, text="Hello.", **data)["speed"] == speed


def test_a_sound_needs_a_model_that_is_set_up(settings: Any) -> None:
    assert refused(AUDIO, prompt="thunder") == {"prompt"}
    assert refused(AUDIO, prompt="thunder", model="speaker") == {"model"}
    settings.MODELS = {AUDIO: ["acme/thunder"]}
    assert check(AUDIO, prompt="thunder", duration=5)["prompt"] == "thunder"
    assert refused(AUDIO, text="Hello.", model="acme/thunder") == {"model"}
