"""Workers and execution records in the admin: look, don't touch."""

from django.contrib import admin
from django_celery_results.models import GroupResult, TaskResult

from aimovie.admin import InspectionAdmin
from workers_app.models import Worker


@admin.register(Worker)
class WorkerAdmin(InspectionAdmin):
    list_display = [
        "worker_id",
        "worker_type",
        "status",
        "current_task_id",
        "tasks_completed",
        "gpu_utilization",
        "memory_usage",
        "last_heartbeat",
    ]
    list_filter = ["worker_type", "state"]
    search_fields = ["worker_id"]


admin.site.unregister(TaskResult)
admin.site.unregister(GroupResult)  # we make no groups


@admin.register(TaskResult)
class ExecutionAdmin(InspectionAdmin):
    """The record of each attempt, as django-celery-results keeps it."""

    list_display = ["task_id", "task_name", "status", "worker", "date_started", "date_done"]
    list_filter = ["status", "task_name"]
    search_fields = ["task_id", "task_kwargs", "worker"]
