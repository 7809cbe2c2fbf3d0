"""Tasks over HTTP: check, call one verb, answer."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimovie.api.paging import PageQuery, page_of
from tasks_app import access, estimates, lifecycle, queues
from tasks_app.models import Task
from tasks_app.serializers import AttemptSerializer, TaskListQuery, TaskSerializer, TaskSubmissionSerializer


class SubmitView(APIView):
    """Accept one task."""

    def post(self, request: Request) -> Response:
        serializer = TaskSubmissionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        access.check_submission_reaches(request, serializer.submission.project_id)
        return Response(receipt(lifecycle.submit(serializer.submission)), status=201)


class TaskView(APIView):
    """The whole task."""

    def get(self, request: Request, task_id: str) -> Response:
        task = access.task_for(request, task_id)
        attempts = AttemptSerializer(task.attempts.order_by("number"), many=True).data
        media = (task.result or {}).get("media", [])
        return Response({**whole(task), "attempts": attempts, "media": media})


class StatusView(APIView):
    """What a poller needs."""

    def get(self, request: Request, task_id: str) -> Response:
        return Response(status_body(access.task_for(request, task_id)))


class CancelView(APIView):
    """Stop a task that has not finished; DELETE and POST are the same."""

    def post(self, request: Request, task_id: str) -> Response:
        return Response(status_body(lifecycle.cancel(access.task_for(request, task_id))))

    delete = post


class RetryView(APIView):
    """Put a failed task back in line."""

    def post(self, request: Request, task_id: str) -> Response:
        return Response(receipt(lifecycle.retry(access.task_for(request, task_id))), status=201)


class ProjectTasksView(APIView):
    """A project's tasks, newest first."""

    def get(self, request: Request, project_id: str) -> Response:
        project = access.project_for(request, project_id)
        filters, pages = TaskListQuery(data=request.query_params), PageQuery(data=request.query_params)
        filters.is_valid(raise_exception=True)
        pages.is_valid(raise_exception=True)
        rows, pagination = page_of(
            project.tasks.filter(**filters.validated_data).order_by("-task_id"), **pages.validated_data
        )
        places = queues.places(rows)
        tasks = [{**TaskSerializer(row).data, **outlook(row, places.get(row.task_id))} for row in rows]
        return Response({"tasks": tasks, "pagination": pagination})


RECEIPT = (
    "task_id", "project_id", "task_type", "status", "priority", "queue_name", "queue_position", "estimated_duration",
    "estimated_wait_time", "created_at",
)  # fmt: skip
STATUS = (
    "task_id", "project_id", "task_type", "status", "priority", "attempt", "progress", "current_step", "queue_name",
    "queue_position", "estimated_duration", "estimated_remaining", "estimated_wait_time", "waiting_for", "result",
    "error", "error_code", "metadata", "created_at", "started_at", "completed_at", "processing_time",
)  # fmt: skip


def receipt(task: Task) -> dict[str, Any]:
    """The answer to a submission or a retry."""
    body = whole(task)
    return {name: body[name] for name in RECEIPT}


def status_body(task: Task) -> dict[str, Any]:
    """The answer to a poll."""
    body = whole(task)
    return {name: body[name] for name in STATUS}


def outlook(task: Task, place: queues.Place | None) -> dict[str, Any]:
    """What is true of a task at this moment only, and stored nowhere."""
    begun, ended = task.started_at, task.completed_at or timezone.now()
    return {
        "queue_position": place.position if place else None,
        "estimated_wait_time": place.wait if place else None,
        "waiting_for": place.in_words if place else None,
        "estimated_remaining": estimates.remaining(task),
        "processing_time": round((ended - begun).total_seconds(), 3) if begun else None,
    }


def whole(task: Task) -> dict[str, Any]:
    """A task as it is stored, and as it stands at this moment."""
    return {**TaskSerializer(task).data, **outlook(task, queues.place(task))}
