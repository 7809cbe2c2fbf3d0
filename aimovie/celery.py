"""The Celery app; what it may be told to do stands in `workers_app/tasks.py`."""

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimovie.settings")

app = Celery("aimovie")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone when anyone listens here: `settings.LOGGING` speaks for workers too."""
