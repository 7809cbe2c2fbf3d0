"""Storages named by what goes wrong with them."""

from typing import Any

from media_app.storage import FolderStorage


class FolderThatIsFull(FolderStorage):
    """Refuses its first files."""

    refusals = 0

    def save(self, *args: Any, **kwargs: Any) -> str:
        if FolderThatIsFull.refusals:
            FolderThatIsFull.refusals -= 1
            raise OSError(28, "No space left on device")
        return str(super().save(*args, **kwargs))


class FolderThatCannotCopyAtFirst(FolderStorage):
    """Takes files, and refuses the first copy."""

    refused = False

    def copy(self, source: str, target: str) -> None:
        if not self.refused:
            self.refused = True
            raise OSError(5, "Input/output error")
        super().copy(source, target)
