"""From task_data to what an engine is handed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from media_app.models import MediaResult, media_id_of
from workers_app import inputs
from workers_app.engines.base import (
    ImageRequest,
    InputUnavailable,
    InvalidInput,
    SoundRequest,
    SpeechRequest,
    Step,
    VideoRequest,
)


def request_of(attempt: Any, folder: Path) -> Any:
    kind, request = inputs.request_of(attempt, folder, lambda step: None)
    return {"image": ImageRequest, "video": VideoRequest, "speech": SpeechRequest, "sound": SoundRequest}[kind], request


def jpeg() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (40, 20), "blue").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def pictures(settings: Any) -> Iterator[str]:
    """A server of pictures on loopback, opened as for development."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good.jpg" else 404)
            self.end_headers()
            self.wfile.write(jpeg())

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.ALLOWED_PRIVATE_HOSTS = frozenset({f"127.0.0.1:{server.server_port}"})
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_picture_request_is_complete(claim_task: Any, tmp_path: Path) -> None:
    attempt = claim_task(
        task_data={"prompt": "a door", "lighting": "noir", "resolution": "320x200", "seed": 7},
        metadata={"scene_id": "s5"},
    )
    kind, request = request_of(attempt, tmp_path)
    assert kind is type(request) is ImageRequest
    assert (request.prompt, request.width, request.height, request.seed, request.model) == (
        "a door, noir",
        320,
        200,
        7,
        "stand-in-image",
    )
    assert request.tags == {"title": "noir, s5", "project": "noir", "task": str(attempt.task_id)}


def test_a_missing_seed_is_drawn_and_differs(claim_task: Any, tmp_path: Path) -> None:
    attempt = claim_task(task_data={"prompt": "a door"})
    seeds = {request_of(attempt, tmp_path / str(n))[1].seed for n in range(4)}
    assert len(seeds) == 4


def test_a_film_has_the_contracts_defaults(claim_task: Any, tmp_path: Path) -> None:
    _, request = request_of(claim_task(task_type="video_generation", task_data={"prompt": "x"}), tmp_path)
    assert (request.duration, request.fps, request.width, request.height) == (7.0, 24, 1024, 576)


def test_text_is_spoken_and_a_prompt_is_a_sound(claim_task: Any, tmp_path: Path, settings: Any) -> None:
    settings.MODELS = {**settings.MODELS, "audio_synthesis": ["some/sound-model"]}
    speech = claim_task("w-1", task_type="audio_synthesis", task_data={"text": "Hello.", "pace": "slow"})
    sound = claim_task("w-2", task_type="audio_synthesis", task_data={"prompt": "thunder", "duration": 3})
    kind, request = request_of(speech, tmp_path / "1")
    assert (kind, request.speed, request.model) == (SpeechRequest, 0.8, "hibari-tts")
    kind, request = request_of(sound, tmp_path / "2")
    assert (kind, request.duration, request.model) == (SoundRequest, 3, "some/sound-model")


def test_storyboard_images_are_fetched_in_order(claim_task: Any, tmp_path: Path, pictures: str) -> None:
    import base64

    data_url = "data:image/jpeg;base64," + base64.b64encode(jpeg()).decode()
    attempt = claim_task(
        task_type="video_generation", task_data={"prompt": "x", "storyboard_images": [f"{pictures}/good.jpg", data_url]}
    )
    seen: list[Step] = []
    _, request = inputs.request_of(attempt, tmp_path, seen.append)
    assert isinstance(request, VideoRequest)
    assert [Image.open(path).size for path in request.storyboard_images] == [(40, 20), (40, 20)]
    assert seen == [Step("fetching", 0, 2), Step("fetching", 1, 2)]


def test_an_input_that_is_not_there_is_unavailable(claim_task: Any, tmp_path: Path, pictures: str) -> None:
    attempt = claim_task(task_data={"prompt": "x", "init_image": f"{pictures}/gone.jpg"})
    with pytest.raises(InputUnavailable, match=r"gone\.jpg"):
        request_of(attempt, tmp_path)


def test_a_private_address_is_refused(claim_task: Any, tmp_path: Path) -> None:
    attempt = claim_task(task_data={"prompt": "x", "init_image": "http://169.254.169.254/latest/meta-data"})
    with pytest.raises(InvalidInput, match=r"169\.254"):
        request_of(attempt, tmp_path)


def stored_media(task: Any) -> MediaResult:
    key = default_storage.save(f"projects/{task.project_id}/image/{task.pk}/output.jpg", ContentFile(jpeg()))
    return MediaResult.objects.create(
        media_id=media_id_of(task.pk, 1), task=task, project_id=task.project_id, media_type="character_design",
        media_url="https://x.example/a", storage_key=key, file_name="output.jpg", file_size=1, resolution="40x20",
        format="JPEG", created_at=timezone.now(),
    )  # fmt: skip


@pytest.mark.parametrize("form", ["media:{}", "http://127.0.0.1:8001/api/v1/media/{}/content"])
def test_media_of_the_same_project_is_read_from_storage(
    form: str, claim_task: Any, make_task: Any, tmp_path: Path
) -> None:
    attempt = claim_task("w-1")
    media = stored_media(attempt.task)
    again = claim_task("w-2", task_data={"prompt": "x", "init_image": form.format(media.media_id)})
    _, request = request_of(again, tmp_path)
    assert Image.open(request.init_image).size == (40, 20)


def test_media_of_another_project_does_not_exist(claim_task: Any, tmp_path: Path) -> None:
    media = stored_media(claim_task("w-1").task)
    foreign = claim_task("w-2", project_id="other", task_data={"prompt": "x", "init_image": f"media:{media.media_id}"})
    with pytest.raises(InvalidInput, match="no such media"):
        request_of(foreign, tmp_path)
