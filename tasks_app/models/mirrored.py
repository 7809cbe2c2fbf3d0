"""Rows that Redis holds a copy of."""

from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q

M_co = TypeVar("M_co", bound="Mirrored", covariant=True)


class MirroredQuerySet(models.QuerySet[M_co]):
    def unmirrored(self) -> Self:
        """Rows whose copy in Redis is older than they are."""
        return self.filter(mirrored__lt=F("revision"))


class Mirrored(models.Model):
    """Counts its guarded writes, and remembers which of them the mirror has seen."""

    revision = models.PositiveBigIntegerField(default=1, editable=False)
    mirrored = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
        indexes = [
            # Upkeep's question every few seconds: is there any row that the mirror has not seen?
            models.Index(fields=["revision"], condition=Q(mirrored__lt=F("revision")), name="%(class)s_unmirrored")
        ]
