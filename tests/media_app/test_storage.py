"""The layout of the data model, in a folder and in a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.files.storage import default_storage, storages

from media_app import storage
from media_app.bucket import R2, BucketStorage
from tests.peers import s3

KINDS = {
    "video_generation": "video/{}/output.mp4",
    "image_generation": "image/{}/output.jpg",
    "audio_synthesis": "audio/{}/output.mp3",
}
DATA = {"audio_synthesis": {"text": "Hello."}}


@pytest.fixture(scope="module")
def server() -> Iterator[s3.S3]:
    with s3.running() as running:
        yield running


@pytest.fixture(params=["folder", "bucket"])
def anywhere(request: Any, settings: Any, tmp_path: Path) -> str:
    """The default storage: a folder, or a bucket over HTTP."""
    if request.param == "folder":
        backend = {"BACKEND": "media_app.storage.FolderStorage", "OPTIONS": {"location": tmp_path / "media"}}
    else:
        server = request.getfixturevalue("server")
        options = {"bucket_name": server.bucket, "endpoint_url": server.url, "access_key": "test", "secret_key": "test"}
        backend = {"BACKEND": "media_app.bucket.BucketStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    assert isinstance(storages["default"], BucketStorage) == (request.param == "bucket")
    return str(request.param)


@pytest.mark.parametrize("task_type", KINDS)
def test_files_lie_where_the_data_model_says(task_type: str, make_task: Any) -> None:
    task = make_task(task_type=task_type, task_data=DATA.get(task_type, {"prompt": "x"}))
    file_name = KINDS[task_type].rsplit("/", 1)[1]
    assert storage.final_key(task, file_name) == f"projects/noir/{KINDS[task_type].format(task.task_id)}"


def test_an_attempts_own_key_is_no_other_attempts(claim_task: Any) -> None:
    attempt = claim_task()
    assert storage.staging_key(attempt.task, attempt.number, "output.jpg") == f"staging/{attempt.task_id}-1/output.jpg"


def test_a_file_is_put_copied_read_and_deleted(anywhere: str, tmp_path: Path) -> None:
    source = tmp_path / "output.mp4"
    source.write_bytes(b"x" * 100_000)
    storage.put("staging/t/1/output.mp4", source)
    storage.copy("staging/t/1/output.mp4", "projects/p/video/t/output.mp4")
    with storage.read("projects/p/video/t/output.mp4") as file:
        assert file.read() == b"x" * 100_000
    storage.delete("staging/t/1/output.mp4")
    assert not default_storage.exists("staging/t/1/output.mp4")
    assert default_storage.exists("projects/p/video/t/output.mp4")


def test_putting_and_copying_again_replaces_and_never_renames(anywhere: str, tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        (tmp_path / "output.jpg").write_bytes(content)
        storage.put("staging/u/1/output.jpg", tmp_path / "output.jpg")
        storage.copy("staging/u/1/output.jpg", "projects/p/image/u/output.jpg")
    with storage.read("projects/p/image/u/output.jpg") as file:
        assert file.read() == b"second"


def test_copying_what_is_not_there_fails_and_leaves_the_target_alone(anywhere: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"kept")
    storage.put("projects/p/image/v/output.jpg", tmp_path / "a")
    with pytest.raises((OSError, ClientError)):
        storage.copy("staging/none/1/output.jpg", "projects/p/image/v/output.jpg")
    with storage.read("projects/p/image/v/output.jpg") as file:
        assert file.read() == b"kept"


def test_a_bucket_serves_a_film_as_a_film(server: s3.S3, settings: Any, request: Any, tmp_path: Path) -> None:
    options = {"bucket_name": server.bucket, "endpoint_url": server.url, "access_key": "test", "secret_key": "test"}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "media_app.bucket.BucketStorage", "OPTIONS": options},
    }
    (tmp_path / "f").write_bytes(b"film")
    storage.put("staging/w/1/output.mp4", tmp_path / "f")
    storage.copy("staging/w/1/output.mp4", "projects/p/video/w/output.mp4")
    head = server.client.head_object(Bucket=server.bucket, Key="projects/p/video/w/output.mp4")
    assert head["ContentType"] == "video/mp4"


def test_r2_is_sent_no_checksum_it_would_refuse() -> None:
    assert R2.request_checksum_calculation == "when_required"
    assert R2.response_checksum_validation == "when_required"
