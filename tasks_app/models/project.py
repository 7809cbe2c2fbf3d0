"""The isolation boundary of tasks and media."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tasks_app.models.mirrored import Mirrored, MirroredQuerySet

ID_PATTERN = r"^[a-zA-Z0-9_-]{1,64}\Z"
RESERVED = frozenset({"active"})
"""`projects:active` is the Redis key of the set of active projects."""

valid_project_id = RegexValidator(ID_PATTERN, "must be 1 to 64 letters, digits, '_' or '-'")


def valid_project_name_for_redis(value: str) -> None:
    """Refuse an id whose Redis key would be one of the data model's own."""
    if value in RESERVED:
        raise ValidationError(f"'{value}' is reserved; choose another project_id")


def default_storage_prefix(project_id: str) -> str:
    return f"projects/{project_id}"


class ProjectQuerySet(MirroredQuerySet["Project"]):
    """Projects."""


class Project(Mirrored):
    """A movie, or whatever else the application keeps apart."""

    project_id = models.CharField(
        primary_key=True, max_length=64, validators=[valid_project_id, valid_project_name_for_redis]
    )
    project_name = models.CharField(max_length=200)
    task_count = models.PositiveIntegerField(default=0)
    active_tasks = models.PositiveIntegerField(default=0)
    storage_prefix = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    last_activity = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta(Mirrored.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(project_id__regex=ID_PATTERN), name="project_id_pattern"),
            models.CheckConstraint(condition=~Q(project_id__in=sorted(RESERVED)), name="project_id_not_reserved"),
            models.CheckConstraint(
                # Relative, of plain segments; a segment of dots alone would climb.
                condition=Q(storage_prefix__regex=r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]*(/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*\Z"),
                name="project_storage_prefix_is_a_path",
            ),
        ]

    def __str__(self) -> str:
        return self.project_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.project_name = self.project_name or self.project_id
        self.storage_prefix = self.storage_prefix or default_storage_prefix(self.project_id)
        super().save(*args, **kwargs)
