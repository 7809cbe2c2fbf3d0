"""Is what is configured right? Run by every command, in words that name the setting."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import Error, register
from django.core.files.storage import InvalidStorageError, storages

MEDIA_URL_PATTERN = r"^(https://[^/?#\s]\S*|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?/\S*)\Z"
"""https; http only for a loopback address. The database holds `media_url` to it."""

SOCKET_PATH_LIMIT = 107


@register
def media_urls_are_https(app_configs: Any, **kwargs: Any) -> list[Error]:
    """`media_url` begins with one of these, and must be https but for a loopback address."""
    return [
        Error(f"{name} must be https (http only for a loopback address), not {url}.", id="aimovie.E001")
        for name in ("PUBLIC_URL", "R2_PUBLIC_URL")
        if (url := getattr(settings, name)) and not is_safe_media_url(url)
    ]


@register
def socket_path_fits(app_configs: Any, **kwargs: Any) -> list[Error]:
    """The kernel cuts the path of a unix socket off at 107 bytes."""
    path = settings.REDIS_URL.removeprefix("unix://").split("?")[0]
    if not settings.REDIS_URL.startswith("unix://") or len(path.encode()) <= SOCKET_PATH_LIMIT:
        return []
    hint = "Set AIMOVIE_HOME to a shorter folder, or REDIS_URL to a server."
    return [
        Error(
            f"The path of Redis' socket is longer than {SOCKET_PATH_LIMIT} bytes: {path}", hint=hint, id="aimovie.E002"
        )
    ]


@register
def storage_exists(app_configs: Any, **kwargs: Any) -> list[Error]:
    """The storage that `STORAGES` names can be made; whether it answers is for the health page."""
    try:
        storages["default"]
    except InvalidStorageError as error:
        words = f"The storage of media cannot be set up: {error}"
        return [Error(words, hint="See STORAGES and R2_*.", id="aimovie.E004")]
    return []


@register
def lease_outlives_beats(app_configs: Any, **kwargs: Any) -> list[Error]:
    """One late beat must not cost a worker its task."""
    if settings.LEASE.total_seconds() >= 3 * settings.HEARTBEAT_SECONDS:
        return []
    return [Error("LEASE_SECONDS must be at least three times HEARTBEAT_SECONDS.", id="aimovie.E003")]


def is_safe_media_url(url: str) -> bool:
    """Whether URLs that begin with this may be recorded with media."""
    return re.match(MEDIA_URL_PATTERN, f"{url}/") is not None
