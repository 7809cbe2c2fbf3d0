"""What the database itself refuses of a media result."""

import uuid
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from media_app.models import MediaResult, media_id_of
from tasks_app.models import Project, Task

pytestmark = pytest.mark.django_db

VIDEO: dict[str, Any] = {"media_type": "video_segment", "format": "MP4", "file_name": "output.mp4", "duration": 7.0,
                         "resolution": "1024x576"}  # fmt: skip
IMAGE: dict[str, Any] = {"media_type": "character_design", "format": "JPEG", "file_name": "output.jpg",
                         "duration": None, "resolution": "64x64"}  # fmt: skip
AUDIO: dict[str, Any] = {"media_type": "dialogue_audio", "format": "MP3", "file_name": "output.mp3", "duration": 0.5,
                         "resolution": None}  # fmt: skip


@pytest.fixture
def task() -> Task:
    Project.objects.create(project_id="noir")
    return Task.objects.create(
        project_id="noir", task_type="video_generation", task_data={}, created_at=timezone.now(),
        estimated_duration=300, queue_name="gpu_heavy",
    )  # fmt: skip


def put(task: Task, number: int = 1, **fields: Any) -> MediaResult:
    row = {
        "media_id": media_id_of(task.pk, number),
        "task": task,
        "project_id": "noir",
        "number": number,
        "media_url": "https://media.example/output.mp4",
        "storage_key": f"projects/noir/video/{task.pk}/output-{number}.mp4",
        "file_size": 1,
        "created_at": timezone.now(),
        **VIDEO,
        **fields,
    }
    return MediaResult.objects.bulk_create([MediaResult(**row)])[0]


@pytest.mark.parametrize("fields", [VIDEO, IMAGE, AUDIO])
def test_good_media_of_each_type_pass(fields: dict[str, Any], task: Task) -> None:
    put(task, **fields)


@pytest.mark.parametrize(
    "media_url",
    [
        "https://media.example/projects/noir/video/1/output.mp4",
        "http://127.0.0.1:8001/api/v1/media/1/content",
        "http://localhost/api/v1/media/1/content",
        "http://[::1]:8001/api/v1/media/1/content",
    ],
)
def test_a_url_that_is_https_or_loopback_passes(media_url: str, task: Task) -> None:
    put(task, media_url=media_url)


@pytest.mark.parametrize(
    "media_url",
    [
        "",
        "output.mp4",
        "http://media.example/output.mp4",
        "http://192.168.0.7/output.mp4",
        "http://127.0.0.1.evil.example/output.mp4",
        "http://127.0.0.1@evil.example/output.mp4",
        "http://localhost:80@evil.example/output.mp4",
        "ftp://media.example/output.mp4",
        "https://",
        "https:///output.mp4",
        " https://media.example/output.mp4",
    ],
)
def test_any_other_url_is_refused(media_url: str, task: Task) -> None:
    with pytest.raises(IntegrityError, match="media_url_https"):
        put(task, media_url=media_url)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"media_type": "hologram"}, "media_type_known"),
        ({"file_size": 0}, "media_file_size_positive"),
        ({"duration": 0.0}, "media_duration_positive"),
        ({"duration": -1.0}, "media_duration_positive"),
        ({"duration": None}, "media_duration_positive"),
        ({**AUDIO, "duration": 0.0}, "media_duration_positive"),
        ({**AUDIO, "duration": None}, "media_duration_positive"),
        ({"resolution": None}, "media_resolution_widthxheight"),
        ({**IMAGE, "resolution": None}, "media_resolution_widthxheight"),
        *(
            ({"resolution": bad}, "media_resolution_widthxheight")
            for bad in ("10x", "x10", "10", "0x10", "10x0", "10X10", "10x10\n", " 10x10", "10x10x10", "-1x10", "1e3x5")
        ),
    ],
)
def test_media_out_of_the_rules_are_refused(fields: dict[str, Any], constraint: str, task: Task) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        put(task, **fields)


def test_a_file_of_a_task_is_there_once(task: Task) -> None:
    put(task)
    with pytest.raises(IntegrityError):
        put(task, media_id=uuid.uuid4(), storage_key="elsewhere")


def test_two_media_results_never_share_a_file(task: Task) -> None:
    put(task, storage_key="the/same.mp4")
    with pytest.raises(IntegrityError):
        put(task, number=2, storage_key="the/same.mp4")


def test_the_media_id_follows_from_task_and_number(task: Task) -> None:
    assert media_id_of(task.pk, 1) == media_id_of(task.pk, 1) != media_id_of(task.pk, 2)


def test_media_go_with_their_task(task: Task) -> None:
    put(task)
    task.delete()
    assert not MediaResult.objects.exists()
