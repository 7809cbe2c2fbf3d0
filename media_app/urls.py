"""The routes of media, below `/api/v1`."""

from django.urls import path

from media_app import views

urlpatterns = [path("media/<str:media_id>/content", views.ContentView.as_view())]
