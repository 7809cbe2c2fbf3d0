"""What a caller did wrong although the request was well formed."""

from typing import Any


class DomainError(Exception):
    """Well formed, but not allowed now: answered as 409, shown in the admin and by commands as one sentence."""

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
