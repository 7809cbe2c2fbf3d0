"""AI Movie task service."""

from aimovie.celery import app as celery_app

__all__ = ["celery_app"]
