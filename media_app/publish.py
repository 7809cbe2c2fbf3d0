"""From a file on disk to a media result: stored under the attempt's own key first, then made final with its row."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from media_app import storage
from media_app.encode import Facts
from media_app.models import OF_TASK_TYPE, MediaResult, media_id_of
from media_app.serializers import MediaSerializer
from tasks_app.models import Attempt, Task, TaskType

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A file in storage that is not final yet."""

    file_name: str
    staging_key: str
    facts: Facts
    generation: Mapping[str, Any]


def store(attempt: Attempt, path: Path, *, facts: Facts, generation: Mapping[str, Any]) -> Stored:
    """Put a file under the attempt's own key.

    Raises:
        storage.UNAVAILABLE: the storage did not take it.
    """
    key = storage.staging_key(attempt.task, attempt.number, path.name)
    storage.put(key, path)
    return Stored(path.name, key, facts, generation)


def record(stored: list[Stored], task: Task) -> dict[str, Any]:
    """Make the files final and write their rows; the result of the task. Called while its row is held.

    A worker that froze in the middle of this, and lost the row to us, may wake up at any moment and go on with its
    copy: so what earlier attempts staged is deleted first, and there is nothing left that it could copy.
    """
    for item in stored:
        for number in range(1, task.attempt):
            storage.delete(storage.staging_key(task, number, item.file_name))
    return result_of([_record_one(task, number, item) for number, item in enumerate(stored, 1)])


def discard(stored: list[Stored]) -> None:
    """Take an attempt's own files away: they are final now, or nobody wants them."""
    for item in stored:
        try:
            storage.delete(item.staging_key)
        except storage.UNAVAILABLE as error:
            log.warning("%s stays behind: %s", item.staging_key, error)


def result_of(rows: list[MediaResult]) -> dict[str, Any]:
    """`Task.result`: every media result whole, and the first one's facts on top for clients that know only one."""
    first = rows[0]
    names = ("duration", "resolution", "file_size", "format", "fps", "sample_rate")
    metadata = {name: getattr(first, name) for name in names if getattr(first, name) is not None}
    return {
        "media_url": first.media_url,
        "payload_media_id": first.payload_media_id,
        "metadata": {**first.generation_metadata, **metadata},
        "media": [dict(item) for item in MediaSerializer(rows, many=True).data],
    }


def _record_one(task: Task, number: int, item: Stored) -> MediaResult:
    key = storage.final_key(task, item.file_name)
    storage.copy(item.staging_key, key)
    media_id = media_id_of(task.task_id, number)
    return MediaResult.objects.create(
        media_id=media_id,
        task=task,
        project_id=task.project_id,
        number=number,
        media_type=OF_TASK_TYPE[TaskType(task.task_type)],
        media_url=media_url(str(media_id), key),
        storage_key=key,
        file_name=item.file_name,
        file_size=item.facts.file_size,
        duration=item.facts.duration,
        resolution=item.facts.resolution,
        format=item.facts.format,
        fps=item.facts.fps,
        sample_rate=item.facts.sample_rate,
        generation_metadata=dict(item.generation),
        created_at=timezone.now(),
    )


def media_url(media_id: str, key: str) -> str:
    """Where a file is read, for good: the bucket's own domain where it has one, else our content route."""
    if settings.R2_BUCKET and settings.R2_PUBLIC_URL:
        return f"{settings.R2_PUBLIC_URL}/{key}"
    return f"{settings.PUBLIC_URL}/api/v1/media/{media_id}/content"
