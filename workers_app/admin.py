"""Workers in the admin: look, don't touch."""

from django.contrib import admin

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
