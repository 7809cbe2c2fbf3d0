"""Pages of every list."""

from typing import Any

import pytest

from aimovie.api.paging import PageQuery, page_of
from tasks_app.models import Project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("page", "limit", "shown", "pages"),
    [
        (1, 3, ["p0", "p1", "p2"], 3),
        (3, 3, ["p6"], 3),
        (4, 3, [], 3),
        (1, 7, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"], 1),
        (7, 1, ["p6"], 7),
    ],
)
def test_a_page_holds_its_rows_and_says_how_many_there_are(page: int, limit: int, shown: list[str], pages: int) -> None:
    for number in range(7):
        Project.objects.create(project_id=f"p{number}")
    rows, pagination = page_of(Project.objects.order_by("project_id"), page=page, limit=limit)
    assert [row.pk for row in rows] == shown
    assert pagination == {"page": page, "limit": limit, "total": 7, "total_pages": pages}


def test_an_empty_list_has_no_pages() -> None:
    assert page_of(Project.objects.order_by("project_id"), page=1, limit=20) == (
        [],
        {"page": 1, "limit": 20, "total": 0, "total_pages": 0},
    )


def checked(query: dict[str, Any]) -> dict[str, Any] | set[str]:
    """The query as it is understood, or the fields that are wrong with it."""
    serializer = PageQuery(data=query)
    return dict(serializer.validated_data) if serializer.is_valid() else set(serializer.errors)


@pytest.mark.parametrize(
    ("query", "means"),
    [
        ({}, {"page": 1, "limit": 20}),
        ({"page": "2", "limit": "1"}, {"page": 2, "limit": 1}),
        ({"limit": "100"}, {"page": 1, "limit": 100}),
        ({"page": "100", "limit": "100"}, {"page": 100, "limit": 100}),
    ],
)
def test_a_good_page_is_understood(query: dict[str, str], means: dict[str, int]) -> None:
    assert checked(query) == means


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        *(({"page": bad}, {"page"}) for bad in ("0", "-1", "first", "1.5", "", "1e3", "9" * 30, str(2**63))),
        *(({"limit": bad}, {"limit"}) for bad in ("0", "-1", "101", "all", "", "9" * 30)),
        ({"page": "101", "limit": "100"}, {"page"}),
        ({"page": "501"}, {"page"}),
    ],
)
def test_a_page_that_is_none_or_lies_beyond_ten_thousand_rows_is_refused(
    query: dict[str, str], wrong: set[str]
) -> None:
    assert checked(query) == wrong
