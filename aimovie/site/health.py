"""Whether the service and each of its parts answer; no key needed, so no detail that a stranger should not see."""

from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimovie import redis
from aimovie.api.parsing import moment
from aimovie.celery import app
from media_app import storage
from workers_app.models import Worker

OK, FAILING, UNCONFIGURED = "ok", "failing", "unconfigured"


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    except DatabaseError:
        return False


def _broker() -> bool:
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        return True
    except (BrokerError, OSError):
        return False


def _workers() -> bool:
    try:
        return Worker.objects.alive().exists()
    except DatabaseError:
        return False


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "redis": redis.is_up,
    "broker": _broker,
    "storage": storage.answers,
    "workers": _workers,
}


class Open(APIView):
    """Needs no key."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []


class HealthView(Open):
    """Each part by name."""

    def get(self, request: Request) -> Response:
        checks = {name: OK if check() else FAILING for name, check in CHECKS.items()}
        status = "healthy" if FAILING not in checks.values() else "degraded"
        return Response(
            {"status": status, "timestamp": moment(timezone.now()), "checks": {**checks, "payload": UNCONFIGURED}}
        )


class LiveView(Open):
    """This process answers."""

    def get(self, request: Request) -> Response:
        return Response({"status": "live"})


class ReadyView(Open):
    """Requests can be served: the database answers."""

    def get(self, request: Request) -> Response:
        return (
            Response({"status": "ready"})
            if _database()
            else Response({"status": "not ready"}, 503, headers={"Retry-After": "5"})
        )
