"""What an engine is handed: the task's data made into a request, and the pictures it points at fetched beside it."""

import secrets
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from aimovie.api.problems import in_words
from media_app import storage
from media_app.models import MediaResult
from tasks_app import task_data
from tasks_app.models import Attempt, Task, TaskType
from workers_app import fetch
from workers_app.engines.base import (
    ImageRequest,
    InputUnavailable,
    InvalidInput,
    OnStep,
    Request,
    SoundRequest,
    SpeechRequest,
    Step,
    VideoRequest,
)


def request_of(attempt: Attempt, folder: Path, on_step: OnStep) -> tuple[str, Request]:
    """The kind of engine that an attempt needs, and its request; missing seeds are drawn here.

    Raises:
        EngineError: the data is not (or no longer) allowed, or an input cannot be read.
    """
    task = attempt.task
    try:
        data = task_data.check(task.task_type, task.task_data)
    except ValidationError as error:
        raise InvalidInput(f"The task's data is not allowed here: {in_words(error.detail)}.") from error
    data.setdefault("seed", secrets.randbelow(2**32))
    shared = {"folder": folder, "tags": _tags(task), "model": data.pop("model", None) or _default_model(task, data)}
    kind = _kind(task, data)
    pictures = _Pictures(task, folder, on_step)
    return kind, _BUILDERS[kind](data, pictures, shared)


class _Pictures:
    """Fetches the pictures of one task, telling how many there are."""

    def __init__(self, task: Task, folder: Path, on_step: OnStep) -> None:
        self.task, self.folder, self.on_step = task, folder / "inputs", on_step
        self.folder.mkdir(parents=True)

    def fetch(self, references: list[str]) -> tuple[Path, ...]:
        paths = []
        for number, reference in enumerate(references):
            self.on_step(Step("fetching", number, len(references)))
            paths.append(self._fetch_one(reference))
        return tuple(paths)

    def _fetch_one(self, reference: str) -> Path:
        ours = _names_our_media(reference)
        if ours is None:
            return fetch.fetch_image(reference, self.folder, allowed_private_hosts=settings.ALLOWED_PRIVATE_HOSTS)
        media = MediaResult.objects.filter(ours, project=self.task.project_id).first()
        if media is None:
            raise InvalidInput(f"There is no such media in project {self.task.project_id}: {reference[:200]}")
        return self._read(media)

    def _read(self, media: MediaResult) -> Path:
        path = self.folder / f"{media.media_id}{Path(media.file_name).suffix}"
        try:
            with storage.read(media.storage_key) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
        except storage.UNAVAILABLE as error:
            raise InputUnavailable(f"The file of media {media.media_id} could not be read.") from error
        return path


def _names_our_media(reference: str) -> Q | None:
    """What finds the media of `media:<id>`, of a content URL or of a URL of our bucket; None for any other address."""
    content, bucket = f"{settings.PUBLIC_URL}/api/v1/media/", f"{settings.R2_PUBLIC_URL}/"
    if settings.R2_PUBLIC_URL and reference.startswith(bucket):
        return Q(storage_key=reference.removeprefix(bucket))
    if not reference.startswith(("media:", content)):
        return None
    text = reference.removeprefix("media:").removeprefix(content).split("/")[0]
    try:
        return Q(media_id=UUID(text))
    except ValueError as error:
        raise InvalidInput(f"{reference[:200]} names no media.") from error


def _kind(task: Task, data: dict[str, Any]) -> str:
    if task.task_type == TaskType.AUDIO:
        return "speech" if data.get("text") else "sound"
    return "video" if task.task_type == TaskType.VIDEO else "image"


def _default_model(task: Task, data: dict[str, Any]) -> str:
    return settings.SPEECH_MODEL if data.get("text") else settings.MODELS[task.task_type][0]


def _tags(task: Task) -> dict[str, str]:
    scene = task.metadata.get("scene_id")
    title = f"{task.project.project_name}, {scene}" if scene else task.project.project_name
    return {"title": title, "project": task.project_id, "task": str(task.task_id)}


def _only(names: str, data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in names.split() if name in data}


WORDS = "seed prompt negative_prompt num_inference_steps guidance_scale"


def _image(data: dict[str, Any], pictures: _Pictures, shared: dict[str, Any]) -> Request:
    known = _only(f"{WORDS} width height num_images strength format quality", data)
    given = pictures.fetch([data["init_image"]]) if data.get("init_image") else ()
    return ImageRequest(**shared, **known, init_image=given[0] if given else None)


def _video(data: dict[str, Any], pictures: _Pictures, shared: dict[str, Any]) -> Request:
    known = _only(f"{WORDS} width height", data)
    board = pictures.fetch(data.get("storyboard_images", []))
    return VideoRequest(
        **shared, **known, duration=data.get("duration", 7.0), fps=data.get("fps", 24), storyboard_images=board
    )


def _speech(data: dict[str, Any], pictures: _Pictures, shared: dict[str, Any]) -> Request:
    return SpeechRequest(**shared, **_only("seed text voice language speed sample_rate format", data))


def _sound(data: dict[str, Any], pictures: _Pictures, shared: dict[str, Any]) -> Request:
    known = _only(f"{WORDS} sample_rate format", data)
    return SoundRequest(**shared, **known, duration=data.get("duration", 5.0))


_BUILDERS = {"image": _image, "video": _video, "speech": _speech, "sound": _sound}
