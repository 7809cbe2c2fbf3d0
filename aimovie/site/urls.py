"""Every route of the service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from aimovie.api.problems import error_page
from aimovie.site import health

admin.site.site_header = admin.site.site_title = "AI Movie task service"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/health", health.HealthView.as_view()),
    path("api/v1/health/live", health.LiveView.as_view()),
    path("api/v1/health/ready", health.ReadyView.as_view()),
    path("api/v1/", include("tasks_app.urls")),
    path("api/v1/", include("media_app.urls")),
    path("api/v1/", include("workers_app.urls")),
]

handler400 = error_page(
    "validation_error", "The request is malformed, or its host name is not listed in ALLOWED_HOSTS.", 400
)
handler403 = error_page("forbidden", "This is not allowed.", 403)
handler404 = error_page("not_found", "There is no such address.", 404)
handler500 = error_page("internal", "Something went wrong on our side.", 500)
