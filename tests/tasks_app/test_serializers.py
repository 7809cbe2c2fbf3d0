"""A submission in, a task out."""

from typing import Any

import pytest

from tasks_app.serializers import Submission, TaskListQuery, TaskSubmissionSerializer

BODY: dict[str, Any] = {
    "project_id": "detective_series_001",
    "task_type": "image_generation",
    "task_data": {"prompt": "a detective in a dark alley, rain"},
}


def accept(**fields: Any) -> Submission:
    serializer = TaskSubmissionSerializer(data={**BODY, **fields})
    assert serializer.is_valid(), serializer.errors
    return serializer.submission


def refused(body: Any) -> dict[str, Any]:
    serializer = TaskSubmissionSerializer(data=body)
    assert not serializer.is_valid()
    return dict(serializer.errors)


def test_what_is_not_said_has_a_default() -> None:
    assert accept() == Submission(
        project_id="detective_series_001",
        task_type="image_generation",
        task_data={"prompt": "a detective in a dark alley, rain"},
        priority=2,
        callback_url=None,
        metadata={},
    )


def test_a_null_callback_or_metadata_is_none_at_all() -> None:
    assert (accept(callback_url=None).callback_url, accept(metadata=None).metadata) == (None, {})


def test_everything_that_was_said_is_kept() -> None:
    words = {
        "priority": 1,
        "callback_url": "https://movie.example/api/webhooks/task-complete",
        "metadata": {"user_id": "user123", "scene": {"id": [1, None, True, 0.5]}},
    }
    accepted = accept(**words)
    assert {name: getattr(accepted, name) for name in words} == words


def test_task_data_stay_as_the_client_wrote_them() -> None:
    data = {"prompt": "a door", "pose": "ajar", "seed": None, "resolution": "64x64", "agent": {"notes": ["", 1]}}
    assert accept(task_data=data).task_data == data


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("video_generation", "video_generation"),
        ("image_generation", "image_generation"),
        ("audio_synthesis", "audio_synthesis"),
        ("generate_video", "video_generation"),
        ("generate_image", "image_generation"),
        ("process_audio", "audio_synthesis"),
        ("generate_character_voice", "audio_synthesis"),
    ],
)
def test_old_names_of_task_types_mean_the_same(sent: str, means: str) -> None:
    assert accept(task_type=sent, task_data={"prompt": "a door", "text": "Hello."}).task_type == means
    query = TaskListQuery(data={"task_type": sent})
    assert query.is_valid()
    assert query.validated_data == {"task_type": means}


@pytest.mark.parametrize("project_id", ["a", "A-1_b", "x" * 64, "0", "Active"])
def test_a_good_project_id_passes(project_id: str) -> None:
    assert accept(project_id=project_id).project_id == project_id


BAD: list[tuple[str, list[Any]]] = [
    (
        "project_id",
        ["", "noir\n", " noir", "noir ", "a b", "a/b", "..", "é", "x" * 65, "active", None, 7, True, [], {}],
    ),
    ("task_type", ["hologram", "", "video", None, 7, True, ["video_generation"], "video_generation ", "GENERATE"]),
    ("priority", [0, 4, -1, "1", "high", 1.5, True, None, [1], 2**63]),
    ("callback_url", ["", "ftp://movie.example", "movie.example", "http://", "javascript:alert(1)", 7, True, [], {}]),
    ("metadata", ["", "a", 7, True, [], ["a"]]),
    ("task_data", ["", "a", 7, True, [], None, [{"prompt": "a"}], {}]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD for value in values])
def test_a_bad_value_is_refused_by_the_name_of_its_field(name: str, value: Any) -> None:
    assert set(refused({**BODY, name: value})) == {name}


@pytest.mark.parametrize("name", ["project_id", "task_type", "task_data"])
def test_a_missing_field_is_named(name: str) -> None:
    assert set(refused({key: value for key, value in BODY.items() if key != name})) == {name}


def test_a_fault_in_task_data_is_named_inside_it() -> None:
    fault = refused({**BODY, "task_data": {"prompt": "a door", "resolution": "10x"}})
    assert list(fault) == ["task_data"]
    assert list(fault["task_data"]) == ["resolution"]


@pytest.mark.parametrize("body", [None, [], [BODY], "submit", 7, True])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert refused(body)


@pytest.mark.parametrize("query", [{"status": "waiting"}, {"status": ""}, {"task_type": "hologram"}])
def test_a_filter_of_an_unknown_word_is_refused_by_name(query: dict[str, str]) -> None:
    serializer = TaskListQuery(data=query)
    assert not serializer.is_valid()
    assert set(serializer.errors) == set(query)
