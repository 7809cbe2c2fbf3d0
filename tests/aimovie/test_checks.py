"""Is what is configured right?"""

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks

from aimovie import checks


@pytest.mark.parametrize("name", ["PUBLIC_URL", "R2_PUBLIC_URL"])
@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://media.movie.example", True),
        ("https://movie.example/files", True),
        ("http://127.0.0.1:8001", True),
        ("http://localhost", True),
        ("http://[::1]:8001", True),
        ("", True),
        ("http://movie.example", False),
        ("http://10.0.0.7:8001", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("ftp://movie.example", False),
        ("movie.example", False),
        ("HTTPS://movie.example", False),
        ("https://", False),
        ("http://[", False),
    ],
)
def test_media_urls_are_https_or_of_this_machine(name: str, url: str, good: bool, settings: Any) -> None:
    setattr(settings, name, url)
    errors = checks.media_urls_are_https(None)
    assert [error.id for error in errors] == ([] if good else ["aimovie.E001"])
    assert all(name in error.msg and url in error.msg for error in errors)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("unix:///" + "a" * 106, True),
        ("unix:///" + "a" * 107, False),
        ("unix:///" + "é" * 54, False),  # bytes, not characters
        ("unix:///" + "a" * 106 + "?db=1", True),
        ("redis://" + "a" * 200 + ":6379/0", True),
    ],
)
def test_the_path_of_a_socket_fits_the_kernel(url: str, good: bool, settings: Any) -> None:
    settings.REDIS_URL = url
    errors = checks.socket_path_fits(None)
    assert [error.id for error in errors] == ([] if good else ["aimovie.E002"])
    assert all("AIMOVIE_HOME" in str(error.hint) for error in errors)


@pytest.mark.parametrize(("lease", "beat", "good"), [(60, 5, True), (15, 5, True), (14.9, 5, False), (5, 5, False)])
def test_a_lease_outlives_two_late_beats(lease: float, beat: float, good: bool, settings: Any) -> None:
    settings.LEASE, settings.HEARTBEAT_SECONDS = timedelta(seconds=lease), beat
    assert [error.id for error in checks.lease_outlives_beats(None)] == ([] if good else ["aimovie.E003"])


def test_a_wrong_setting_is_an_error_of_every_command(settings: Any) -> None:
    assert run_checks() == []
    settings.PUBLIC_URL = "http://movie.example"
    assert [error.id for error in run_checks()] == ["aimovie.E001"]
