"""Every Celery function; each only unpacks its message."""

from celery import shared_task

from workers_app import process


@shared_task(ignore_result=True)
def look(queue_name: str) -> None:
    """A bell: something may wait in a line that this worker serves."""
    process.look()
