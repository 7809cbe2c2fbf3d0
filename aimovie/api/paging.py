"""Pages of every list."""

import math
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from rest_framework import serializers

REACH = 10_000
"""Rows that pages reach: the database counts past every row before a page, so a far one is dear."""


class PageQuery(serializers.Serializer[Any]):
    """`page` and `limit` of every list."""

    page = serializers.IntegerField(min_value=1, default=1)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["page"] - 1) * attrs["limit"] >= REACH:
            raise serializers.ValidationError({"page": f"pages reach {REACH} rows, no further"})
        return attrs


def page_of(rows: QuerySet[Any], *, page: int, limit: int) -> tuple[list[Any], dict[str, int]]:
    """The rows of one page, and the `pagination` object of the answer; a page past the end is empty."""
    paginator = Paginator(rows, limit)
    pagination = {
        "page": page,
        "limit": limit,
        "total": paginator.count,
        "total_pages": math.ceil(paginator.count / limit),
    }
    return list(rows[(page - 1) * limit : page * limit]), pagination
