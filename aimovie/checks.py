"""Is what is configured right? Run by every command, in words that name the setting."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, register
from django.core.files.storage import InvalidStorageError, storages

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SOCKET_PATH_LIMIT = 107


@register
def media_urls_are_https(app_configs: Any, **kwargs: Any) -> list[Error]:
    """`media_url` begins with one of these, and must be https but for a loopback address."""
    return [
        Error(f"{name} must be https (http only for a loopback address), not {url}.", id="aimovie.E001")
        for name in ("PUBLIC_URL", "R2_PUBLIC_URL")
        if (url := getattr(settings, name)) and not _is_safe(url)
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


def _is_safe(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return bool(host) and (url.startswith("https://") or (url.startswith("http://") and host in LOOPBACK))
