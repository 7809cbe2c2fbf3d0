"""The rows that are the promises: projects, tasks, their attempts, and the keys that may ask."""

from tasks_app.models.api_key import ApiKey
from tasks_app.models.attempt import Attempt, Outcome
from tasks_app.models.project import Project
from tasks_app.models.task import ErrorCode, Priority, Status, Task, TaskType

__all__ = ["ApiKey", "Attempt", "ErrorCode", "Outcome", "Priority", "Project", "Status", "Task", "TaskType"]
