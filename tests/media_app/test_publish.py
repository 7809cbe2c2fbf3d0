"""From a file on disk to a media result: staged, made final with its row, discarded when nobody wants it."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from media_app import publish, storage
from media_app.encode import write_image
from media_app.models import MediaResult, media_id_of
from tasks_app import lifecycle
from tasks_app.models import Attempt, Task


def picture(folder: Path) -> tuple[Path, Any]:
    from PIL import Image

    path = folder / "output.jpg"
    return path, write_image(Image.new("RGB", (64, 32), "red"), path, tags={"title": "x"})


def stage(attempt: Attempt, folder: Path) -> publish.Stored:
    path, facts = picture(folder)
    return publish.store(attempt, path, facts=facts, generation={"seed": 7})


def test_recording_makes_the_file_final_with_its_row(claim_task: Any, tmp_path: Path) -> None:
    attempt = claim_task()
    stored = [stage(attempt, tmp_path)]
    task = lifecycle.complete(attempt, lambda task: publish.record(stored, task))
    media = MediaResult.objects.get()
    assert media.media_id == media_id_of(task.pk, 1) == uuid.uuid5(task.pk, "1")
    assert media.storage_key == f"projects/noir/image/{task.pk}/output.jpg"
    assert default_storage.exists(media.storage_key)
    publish.discard(stored)
    assert default_storage.exists(media.storage_key)
    assert not default_storage.exists(stored[0].staging_key)
    assert (media.media_type, media.resolution, media.format) == ("character_design", "64x32", "JPEG")
    assert media.duration is None
    assert task.result
    assert task.result["media_url"] == f"http://127.0.0.1:8001/api/v1/media/{media.media_id}/content"
    assert task.result["metadata"] == {"resolution": "64x32", "file_size": media.file_size, "format": "JPEG", "seed": 7}
    assert task.result["media"][0]["media_id"] == str(media.media_id)


def test_a_recording_that_fails_leaves_no_row_and_keeps_the_staged_file(claim_task: Any, tmp_path: Path) -> None:
    attempt = claim_task()
    stored = [stage(attempt, tmp_path)]
    storage.delete(stored[0].staging_key)
    with pytest.raises(OSError, match="output"):
        lifecycle.complete(attempt, lambda task: publish.record(stored, task))
    assert not MediaResult.objects.exists()
    assert Task.objects.get().status == "processing"


def test_discarding_what_is_gone_already_harms_nothing(claim_task: Any, tmp_path: Path) -> None:
    stored = [stage(claim_task(), tmp_path)]
    publish.discard(stored)
    publish.discard(stored)
    assert not default_storage.exists(stored[0].staging_key)


def test_a_bucket_with_a_domain_gives_https_urls(settings: Any) -> None:
    settings.R2_BUCKET, settings.R2_PUBLIC_URL = "movies", "https://media.movie.example"
    assert (
        publish.media_url("m", "projects/p/image/t/output.jpg")
        == "https://media.movie.example/projects/p/image/t/output.jpg"
    )


def test_a_worker_that_froze_in_the_middle_of_its_copy_finds_nothing_left_to_copy(
    claim_task: Any, tmp_path: Path
) -> None:
    """It lost the row while it was frozen, another attempt completed; now it goes on where it stood."""
    old = claim_task("frozen")
    stale = stage(old, tmp_path)
    Attempt.objects.update(lease_until=Now() - timedelta(seconds=1))
    lifecycle.rescue(old)
    new = lifecycle.claim("alive", ["gpu_medium"])
    assert new
    fresh = stage(new, tmp_path)
    task = lifecycle.complete(new, lambda task: publish.record([fresh], task))
    final = storage.final_key(task, "output.jpg")
    with storage.read(final) as file:
        before = file.read()
    with pytest.raises(FileNotFoundError):
        storage.copy(stale.staging_key, final)
    with storage.read(final) as file:
        assert file.read() == before
