"""Where files lie: the layout of the data model, in whatever storage `STORAGES` names.

{storage_prefix}/video/{task_id}/output.mp4          final: written only by who holds the task's row
staging/{task_id}-{attempt number}/output.mp4        an attempt's own: nobody else writes there
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, cast
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage

from tasks_app.models import Task, TaskType

UNAVAILABLE = (OSError, BotoCoreError, ClientError)
"""What a storage raises, a folder or a bucket."""

FOLDERS = {TaskType.VIDEO: "video", TaskType.IMAGE: "image", TaskType.AUDIO: "audio"}


class Storage(Protocol):
    """What we ask of a storage beyond Django's own."""

    def copy(self, source: str, target: str) -> None:
        """Make `target` the same as `source`, at once or not at all, without the bytes passing through us.

        Raises:
            FileNotFoundError: there is no `source`.
        """
        ...

    def answers(self) -> bool:
        """Whether the storage works, within a few seconds."""
        ...


class FolderStorage(FileSystemStorage):
    """A folder on this machine."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(location=location, allow_overwrite=True)

    def copy(self, source: str, target: str) -> None:
        """A second name for the same bytes, put in place at once: no copying, and no moment of half a file."""
        path = Path(self.path(target))
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            _second_name(self.path(source), fresh)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """The file, and the folder of an attempt with its last file."""
        super().delete(name)
        with suppress(OSError):
            Path(self.path(name)).parent.rmdir()

    def answers(self) -> bool:
        """Whether files can be written here."""
        folder = Path(self.location)
        return os.access(folder if folder.exists() else folder.parent, os.W_OK)


def _second_name(source: str, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def final_key(task: Task, file_name: str) -> str:
    return f"{task.project.storage_prefix}/{FOLDERS[TaskType(task.task_type)]}/{task.task_id}/{file_name}"


def staging_key(task: Task, number: int, file_name: str) -> str:
    """Where attempt `number` of a task puts a file: nobody else writes there."""
    return f"staging/{task.task_id}-{number}/{file_name}"


def put(key: str, path: Path) -> None:
    """Upload a file, replacing what an earlier try left there."""
    with path.open("rb") as file:
        default_storage.save(key, File(file))


def copy(source: str, target: str) -> None:
    cast(Storage, default_storage).copy(source, target)


def answers() -> bool:
    return cast(Storage, default_storage).answers()


def delete(key: str) -> None:
    default_storage.delete(key)


def read(key: str) -> IO[bytes]:
    return default_storage.open(key)
