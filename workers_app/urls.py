"""The routes of workers, below `/api/v1`."""

from django.urls import path

from workers_app import views

urlpatterns = [path("workers/status", views.WorkersStatusView.as_view())]
