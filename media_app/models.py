"""What came out: one row per stored file."""

import uuid

from django.db import models
from django.db.models import Q

from aimovie.checks import MEDIA_URL_PATTERN
from tasks_app.models import Project, Task, TaskType


class MediaType(models.TextChoices):
    VIDEO = "video_segment"
    IMAGE = "character_design"
    AUDIO = "dialogue_audio"


OF_TASK_TYPE = {TaskType.VIDEO: MediaType.VIDEO, TaskType.IMAGE: MediaType.IMAGE, TaskType.AUDIO: MediaType.AUDIO}


def media_id_of(task_id: uuid.UUID, number: int) -> uuid.UUID:
    """The same for the same task and number, so that a repeated write is the same row."""
    return uuid.uuid5(task_id, str(number))


class MediaResult(models.Model):
    """A stored artifact. Sizes in bytes and pixels, duration in seconds, as read back from the file."""

    media_id = models.UUIDField(primary_key=True, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="media")
    project = models.ForeignKey(Project, models.PROTECT, related_name="media")
    number = models.PositiveSmallIntegerField(default=1)
    media_type = models.CharField(max_length=20, choices=MediaType)
    media_url = models.CharField(max_length=2000)
    payload_media_id = models.CharField(max_length=100, null=True, blank=True)
    storage_key = models.CharField(max_length=500, unique=True)
    file_name = models.CharField(max_length=200)
    file_size = models.PositiveBigIntegerField()
    duration = models.FloatField(null=True, blank=True)
    resolution = models.CharField(max_length=11, null=True, blank=True)
    format = models.CharField(max_length=10)
    fps = models.FloatField(null=True, blank=True)
    sample_rate = models.PositiveIntegerField(null=True, blank=True)
    generation_metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "media result"
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"], name="media_by_project")]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="media_number_once"),
            models.CheckConstraint(condition=Q(media_type__in=MediaType.values), name="media_type_known"),
            models.CheckConstraint(condition=Q(media_url__regex=MEDIA_URL_PATTERN), name="media_url_https"),
            models.CheckConstraint(condition=Q(file_size__gt=0), name="media_file_size_positive"),
            models.CheckConstraint(
                condition=Q(media_type=MediaType.IMAGE, duration__isnull=True)
                | Q(duration__isnull=False, duration__gt=0),
                name="media_duration_positive",
            ),
            models.CheckConstraint(
                condition=Q(media_type=MediaType.AUDIO, resolution__isnull=True)
                | Q(resolution__isnull=False, resolution__regex=r"^[1-9][0-9]*x[1-9][0-9]*\Z"),
                name="media_resolution_widthxheight",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} of {self.task_id}"
