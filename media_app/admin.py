"""Media in the admin: look, don't touch."""

from django.contrib import admin

from aimovie.admin import InspectionAdmin
from media_app.models import MediaResult


@admin.register(MediaResult)
class MediaResultAdmin(InspectionAdmin):
    list_display = ["file_name", "media_type", "project", "format", "resolution", "duration", "file_size", "created_at"]
    list_filter = ["media_type", "format"]
    list_select_related = ["project"]
    search_fields = ["media_id", "task__task_id", "project__project_id"]
