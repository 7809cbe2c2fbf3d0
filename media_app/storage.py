"""Where files lie: the layout of the data model, in whatever storage `STORAGES` names.

{storage_prefix}/video/{task_id}/output.mp4          final: written only by who holds the task's row
staging/{task_id}/{attempt number}/output.mp4        an attempt's own: nobody else writes there
"""

import os
import shutil
from pathlib import Path
from typing import IO, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage

from tasks_app.models import Attempt, Task, TaskType

UNAVAILABLE = (OSError, BotoCoreError, ClientError)
"""What a storage raises, a folder or a bucket."""

FOLDERS = {TaskType.VIDEO: "video", TaskType.IMAGE: "image", TaskType.AUDIO: "audio"}


class Copying(Protocol):
    """What we ask of a storage beyond Django's own."""

    def copy(self, source: str, target: str) -> None:
        """Make `target` the same as `source`, at once or not at all, without the bytes passing through us."""
        ...


class FolderStorage(FileSystemStorage):
    """A folder on this machine."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(location=location, allow_overwrite=True)

    def copy(self, source: str, target: str) -> None:
        path = Path(self.path(target))
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.copyfile(self.path(source), fresh)
        fresh.replace(path)


def final_key(task: Task, file_name: str) -> str:
    return f"{task.project.storage_prefix}/{FOLDERS[TaskType(task.task_type)]}/{task.task_id}/{file_name}"


def staging_key(attempt: Attempt, file_name: str) -> str:
    return f"staging/{attempt.task_id}/{attempt.number}/{file_name}"


def put(key: str, path: Path) -> None:
    """Upload a file, replacing what an earlier try left there."""
    with path.open("rb") as file:
        default_storage.save(key, File(file))


def copy(source: str, target: str) -> None:
    cast(Copying, default_storage).copy(source, target)


def delete(key: str) -> None:
    default_storage.delete(key)


def read(key: str) -> IO[bytes]:
    return default_storage.open(key)
