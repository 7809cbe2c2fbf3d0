"""A request's id, and its path without a trailing slash."""

import pytest
from django.test import Client


@pytest.mark.parametrize("given", ["a", "0193b5c4-7a1e-7c3f", "x" * 64, "job 7: first try"])
def test_a_sane_request_id_is_echoed(given: str) -> None:
    response = Client().get("/api/v1/nothing", headers={"X-Request-ID": given})
    assert response["X-Request-ID"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a\tb", "é", "a\r\nSet-Cookie: b=c", "\x00"])
def test_any_other_is_replaced_by_a_fresh_one(given: str) -> None:
    response = Client().get("/api/v1/nothing", headers={"X-Request-ID": given})
    fresh = response["X-Request-ID"]
    assert fresh == response.json()["request_id"] != given
    assert len(fresh) == 32


def test_every_request_has_an_id_of_its_own() -> None:
    ids = {Client().get("/api/v1/health/live")["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("path", ["/api/v1/health/live", "/api/v1/health/live/"])
def test_a_path_with_a_trailing_slash_answers_the_same(path: str) -> None:
    assert Client().get(path).json() == {"status": "live"}


def test_only_paths_of_the_api_lose_their_slash() -> None:
    assert Client().get("/admin/login/").status_code == 200
