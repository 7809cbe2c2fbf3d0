"""Tasks on the wire: the submission in; out, one shape for the API, the mirror and every message."""

from dataclasses import dataclass, field
from typing import Any

from rest_framework import serializers

from tasks_app import task_data
from tasks_app.fields import Choice, HttpUrl, Integer, Object, Text
from tasks_app.models import Attempt, Priority, Status, Task, TaskType
from tasks_app.models.project import ID_PATTERN, RESERVED

OLD_NAMES = {
    "generate_video": TaskType.VIDEO,
    "generate_image": TaskType.IMAGE,
    "process_audio": TaskType.AUDIO,
    "generate_character_voice": TaskType.AUDIO,
}
"""What existing clients of the platform send."""


@dataclass(frozen=True)
class Submission:
    """A checked request for one task."""

    project_id: str
    task_type: str
    task_data: dict[str, Any]
    priority: int = Priority.NORMAL
    callback_url: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class ProjectId(serializers.RegexField):
    """1 to 64 letters, digits, `_` or `-`."""

    default_error_messages = {"invalid": "must be 1 to 64 letters, digits, '_' or '-'"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ID_PATTERN, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("must be a string")
        if data in RESERVED:
            raise serializers.ValidationError(f"'{data}' is reserved; choose another")
        return super().to_internal_value(data)


class TaskTypeName(Choice):
    """A task type by its name or an old one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(list(TaskType.values), **kwargs)

    def to_internal_value(self, data: Any) -> str:
        known = isinstance(data, str) and data in OLD_NAMES
        return OLD_NAMES[data] if known else super().to_internal_value(data)


class TaskSubmissionSerializer(serializers.Serializer[Any]):
    """The body of a submission."""

    default_error_messages = {"invalid": "The body must be a JSON object."}

    project_id = ProjectId()
    task_type = TaskTypeName()
    priority = Integer(default=Priority.NORMAL)
    task_data = Object()
    callback_url = HttpUrl(required=False, allow_null=True)
    metadata = Object(required=False, allow_null=True)

    def validate_priority(self, value: int) -> int:
        if value not in Priority.values:
            raise serializers.ValidationError("must be 1, 2 or 3")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ours = set(TaskSerializer.Meta.fields) - set(self.fields)
        if claimed := sorted(ours & set(self.initial_data)):
            raise serializers.ValidationError({name: ["is set by the service alone"] for name in claimed})
        try:
            task_data.check(attrs["task_type"], attrs["task_data"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"task_data": error.detail}) from error
        return attrs

    @property
    def submission(self) -> Submission:
        """What was asked, once `is_valid` said so. `task_data` stays as the client wrote it."""
        checked = self.validated_data
        return Submission(**{**checked, "metadata": checked.get("metadata") or {}})


class TaskListQuery(serializers.Serializer[Any]):
    """The filters of a list of tasks."""

    status = Choice(list(Status.values), required=False)
    task_type = TaskTypeName(required=False)


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = ["number", "worker_id", "started_at", "finished_at", "outcome", "error", "error_code"]


class TaskSerializer(serializers.ModelSerializer[Task]):
    """Every stored attribute of a task; its place in line is computed when it is read, and is not here."""

    project_id = serializers.CharField()
    current_step = Text(allow_null=True)

    class Meta:
        model = Task
        fields = [
            "task_id", "project_id", "task_type", "status", "priority", "task_data", "progress", "current_step",
            "result", "error", "error_code", "callback_url", "metadata", "created_at", "started_at", "completed_at",
            "estimated_duration", "queue_name", "attempt",
        ]  # fmt: skip
