"""Media results on the wire: in answers, and in the result of their task."""

from rest_framework import serializers

from media_app.models import MediaResult


class MediaSerializer(serializers.ModelSerializer[MediaResult]):
    """Every attribute of the data model."""

    media_id = serializers.CharField()
    task_id = serializers.CharField()
    project_id = serializers.CharField()

    class Meta:
        model = MediaResult
        fields = [
            "media_id", "task_id", "project_id", "media_type", "media_url", "payload_media_id", "file_name",
            "file_size", "duration", "resolution", "format", "fps", "sample_rate", "generation_metadata", "created_at",
        ]  # fmt: skip
