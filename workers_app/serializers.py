"""Workers on the wire: the data model's attributes, and what is warm."""

from rest_framework import serializers

from workers_app.models import Worker


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    status = serializers.CharField()

    class Meta:
        model = Worker
        fields = [
            "worker_id", "worker_type", "status", "queue_names", "current_task_id", "gpu_utilization", "gpu_memory",
            "memory_usage", "tasks_completed", "warm_models", "last_heartbeat",
        ]  # fmt: skip
