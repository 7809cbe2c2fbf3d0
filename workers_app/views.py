"""Workers over HTTP."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_app import access
from tasks_app.models import Task
from workers_app.models import State, Worker
from workers_app.serializers import WorkerSerializer


class WorkersStatusView(APIView):
    """Every worker that was heard of lately."""

    def get(self, request: Request) -> Response:
        rows = list(Worker.objects.all())
        workers = [dict(item) for item in WorkerSerializer(rows, many=True).data]
        _hide_foreign_tasks(request, workers)
        alive = [row for row in rows if row.status != State.OFFLINE]
        utilization = sum(row.gpu_utilization for row in alive) / len(alive) if alive else 0.0
        return Response(
            {
                "workers": workers,
                "total_workers": len(rows),
                "active_workers": len(alive),
                "gpu_utilization": round(utilization, 3),
            }
        )


def _hide_foreign_tasks(request: Request, workers: list[dict[str, Any]]) -> None:
    """A key sees that a worker is busy, but not with which task of a project out of its reach."""
    running = [worker["current_task_id"] for worker in workers if worker["current_task_id"]]
    reached = Task.objects.reached_by(access.key_of(request)).filter(pk__in=running).values_list("pk", flat=True)
    known = {str(task_id) for task_id in reached}
    for worker in workers:
        if str(worker["current_task_id"]) not in known:
            worker["current_task_id"] = None
