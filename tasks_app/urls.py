"""The routes of tasks, below `/api/v1`."""

from django.urls import path

from tasks_app import views

urlpatterns = [
    path("tasks/submit", views.SubmitView.as_view()),
    path("tasks/<str:task_id>", views.TaskView.as_view()),
    path("tasks/<str:task_id>/status", views.StatusView.as_view()),
    path("tasks/<str:task_id>/cancel", views.CancelView.as_view()),
    path("tasks/<str:task_id>/retry", views.RetryView.as_view()),
    path("projects/<str:project_id>/tasks", views.ProjectTasksView.as_view()),
]
