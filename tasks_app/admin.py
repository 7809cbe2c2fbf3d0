"""Projects, tasks, attempts and keys in the admin: look, don't touch."""

from django.contrib import admin

from aimovie.admin import InspectionAdmin, InspectionInline
from tasks_app.models import ApiKey, Attempt, Project, Task


class AttemptInline(InspectionInline):
    model = Attempt
    fields = ["number", "worker_id", "started_at", "finished_at", "outcome", "error_code", "error", "execution"]


@admin.register(Task)
class TaskAdmin(InspectionAdmin):
    list_display = [
        "task_id",
        "task_type",
        "status",
        "priority",
        "project",
        "progress",
        "current_step",
        "queue_name",
        "created_at",
    ]
    list_filter = ["status", "task_type", "priority", "queue_name", "error_code"]
    list_select_related = ["project"]
    search_fields = ["task_id", "project__project_id"]
    ordering = ["-task_id"]
    inlines = [AttemptInline]


@admin.register(Project)
class ProjectAdmin(InspectionAdmin):
    list_display = [
        "project_id",
        "project_name",
        "task_count",
        "active_tasks",
        "storage_prefix",
        "created_at",
        "last_activity",
    ]
    search_fields = ["project_id", "project_name"]


@admin.register(Attempt)
class AttemptAdmin(InspectionAdmin):
    list_display = ["task", "number", "worker_id", "started_at", "finished_at", "lease_until", "outcome", "error_code"]
    list_filter = ["outcome", "error_code"]
    list_select_related = ["task"]
    search_fields = ["task__task_id", "worker_id"]


@admin.register(ApiKey)
class ApiKeyAdmin(InspectionAdmin):
    list_display = ["name", "prefix", "is_operator", "all_projects", "created_at", "expires_at", "revoked_at"]
    list_filter = ["is_operator", "all_projects"]
    search_fields = ["name", "prefix"]
    readonly_fields = ["prefix"]
