"""The bytes of a media result over HTTP."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from media_app.models import MediaResult, media_id_of
from tests.conftest import client_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def media(make_task: Any, settings: Any) -> MediaResult:
    """A picture of project noir, and its file in the folder."""
    task = make_task()
    key = f"projects/noir/image/{task.pk}/output.jpg"
    path = Path(settings.MEDIA_ROOT) / key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"the picture")
    return MediaResult.objects.create(
        media_id=media_id_of(task.pk, 1), task=task, project_id="noir", media_type="character_design",
        media_url="https://media.example/output.jpg", storage_key=key, file_name="output.jpg", file_size=11,
        resolution="64x64", format="JPEG", created_at=timezone.now(),
    )  # fmt: skip


def content(client: APIClient, media_id: object) -> Any:
    return client.get(f"/api/v1/media/{media_id}/content")


@pytest.mark.parametrize("project_ids", [(), ("noir",)])
def test_a_key_that_reaches_the_project_reads_the_file(project_ids: tuple[str, ...], media: MediaResult) -> None:
    response = content(client_for(*project_ids), media.media_id)
    assert response.status_code == 200
    assert b"".join(response.streaming_content) == b"the picture"
    assert response["Content-Type"] == "image/jpeg"
    assert response["Content-Length"] == "11"


def test_anothers_media_cannot_be_told_from_unknown_ones(media: MediaResult) -> None:
    answers = []
    for media_id in (media.media_id, uuid.uuid4()):
        response = content(client_for("mine"), media_id)
        body = response.json()
        answers.append((response.status_code, body["error"], body["message"], body["details"]))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (404, "not_found")


def test_a_malformed_media_id_is_invalid_input(api: APIClient) -> None:
    response = content(api, "output.jpg")
    assert response.status_code == 400
    assert response.json()["details"] == {"media_id": ["must be a UUID"]}


def test_a_browser_that_accepts_pictures_alone_gets_one(api: APIClient, media: MediaResult) -> None:
    response = api.get(f"/api/v1/media/{media.media_id}/content?format=JPEG", HTTP_ACCEPT="image/avif,image/*")
    assert response.status_code == 200
    assert b"".join(response.streaming_content) == b"the picture"


def test_a_file_that_is_gone_is_not_there(api: APIClient, media: MediaResult, settings: Any) -> None:
    (Path(settings.MEDIA_ROOT) / media.storage_key).unlink()
    assert content(api, media.media_id).status_code == 404


def test_a_bucket_that_is_away_is_said_to_be(api: APIClient, media: MediaResult, settings: Any) -> None:
    nobody = {"bucket_name": "b", "endpoint_url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b"}
    backend = {"BACKEND": "media_app.bucket.BucketStorage", "OPTIONS": nobody}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    response = content(api, media.media_id)
    assert (response.status_code, response.json()["error"]) == (503, "unavailable")
    assert response["Retry-After"] == "5"
