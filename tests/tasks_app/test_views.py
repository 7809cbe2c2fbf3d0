"""Tasks over HTTP, as the contract has them."""

import uuid
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from tasks_app import lifecycle, progress
from tasks_app.models import Project, Task

pytestmark = pytest.mark.django_db(transaction=True)

BODY: dict[str, Any] = {
    "project_id": "noir",
    "task_type": "video_generation",
    "priority": 1,
    "task_data": {"prompt": "a detective in a dark alley, rain", "duration": 7, "fps": 24, "agent": {"mood": None}},
    "callback_url": "https://movie.example/api/webhooks/task-complete",
    "metadata": {"user_id": "user123", "scene_id": "scene_005"},
}
RECEIPT = {
    "task_id", "project_id", "task_type", "status", "priority", "queue_name", "queue_position", "estimated_duration",
    "estimated_wait_time", "created_at",
}  # fmt: skip
STATUS = {
    "task_id", "project_id", "task_type", "status", "priority", "attempt", "progress", "current_step", "queue_name",
    "queue_position", "estimated_duration", "estimated_remaining", "estimated_wait_time", "waiting_for", "result",
    "error", "error_code", "metadata", "created_at", "started_at", "completed_at", "processing_time",
}  # fmt: skip
WHOLE = STATUS | {"task_data", "callback_url", "attempts", "media"}


def submit(api: APIClient, **fields: Any) -> dict[str, Any]:
    response = api.post("/api/v1/tasks/submit", {**BODY, **fields}, format="json")
    assert response.status_code == 201, response.json()
    return response.json()  # type: ignore[no-any-return]


def get(api: APIClient, path: str) -> dict[str, Any]:
    response = api.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.json()
    return response.json()  # type: ignore[no-any-return]


def test_a_submission_is_answered_with_its_place_in_line(api: APIClient) -> None:
    first, second = submit(api), submit(api)
    assert set(first) == RECEIPT
    created_at = first.pop("created_at")
    assert created_at.endswith("Z")
    assert parse_datetime(created_at)
    assert uuid.UUID(first.pop("task_id")).version == 7
    assert first == {
        "project_id": "noir",
        "task_type": "video_generation",
        "status": "queued",
        "priority": 1,
        "queue_name": "gpu_heavy",
        "queue_position": 1,
        "estimated_duration": 300,
        "estimated_wait_time": 0,
    }
    assert (second["queue_position"], second["estimated_wait_time"]) == (2, 300)


@pytest.mark.parametrize(
    ("sent", "task_type", "queue_name"),
    [
        ("generate_video", "video_generation", "gpu_heavy"),
        ("generate_image", "image_generation", "gpu_medium"),
        ("process_audio", "audio_synthesis", "cpu_intensive"),
        ("generate_character_voice", "audio_synthesis", "cpu_intensive"),
    ],
)
def test_answers_carry_the_new_name_of_a_type(sent: str, task_type: str, queue_name: str, api: APIClient) -> None:
    receipt = submit(api, task_type=sent, task_data={"prompt": "a door", "text": "Hello."})
    assert (receipt["task_type"], receipt["queue_name"]) == (task_type, queue_name)
    assert get(api, f"tasks/{receipt['task_id']}")["task_type"] == task_type


def test_a_queued_task_tells_a_poller_where_it_stands(api: APIClient) -> None:
    submit(api)
    status = get(api, f"tasks/{submit(api)['task_id']}/status")
    assert set(status) == STATUS
    assert (status["status"], status["attempt"], status["progress"]) == ("queued", 0, 0.0)
    assert (status["queue_position"], status["estimated_wait_time"]) == (2, 300)
    assert isinstance(status["waiting_for"], str)
    assert status["metadata"] == BODY["metadata"]
    nothing_yet = (
        "result",
        "error",
        "error_code",
        "started_at",
        "completed_at",
        "processing_time",
        "estimated_remaining",
    )
    assert [status[name] for name in nothing_yet] == [None] * len(nothing_yet)


def test_a_running_task_tells_a_poller_how_far_it_is(api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    attempt = lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"])
    assert attempt
    progress.write(lifecycle.advance(attempt, 0.75, "denoising 18/24"), phase="denoising", done=18, total=24)
    status = get(api, f"tasks/{task_id}/status")
    assert set(status) == STATUS
    assert (status["status"], status["attempt"], status["progress"]) == ("processing", 1, 0.75)
    assert status["current_step"] == "denoising 18/24"
    assert (status["queue_position"], status["estimated_wait_time"], status["waiting_for"]) == (None, None, None)
    assert status["started_at"].endswith("Z")
    assert status["completed_at"] is None
    assert isinstance(status["estimated_remaining"], int)
    assert 0 <= status["processing_time"] < 60


def test_a_completed_task_shows_its_result(api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    attempt = lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"])
    assert attempt
    media = [{"media_id": "1", "media_url": "https://media.example/output.mp4"}]
    lifecycle.complete(attempt, lambda task: {"media_url": media[0]["media_url"], "media": media})
    status = get(api, f"tasks/{task_id}/status")
    assert (status["status"], status["progress"], status["estimated_remaining"]) == ("completed", 1.0, None)
    assert status["result"] == {"media_url": "https://media.example/output.mp4", "media": media}
    assert status["completed_at"].endswith("Z")
    assert get(api, f"tasks/{task_id}")["media"] == media
    assert get(api, f"tasks/{task_id}/status")["processing_time"] == status["processing_time"]


def test_the_whole_task_has_every_attribute_its_attempts_and_its_media(api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    attempt = lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"])
    assert attempt
    lifecycle.fail(attempt, "internal", "It broke.", traceback="File secret.py, line 1")
    response = api.get(f"/api/v1/tasks/{task_id}")
    whole = response.json()
    assert set(whole) == WHOLE
    assert (whole["task_data"], whole["callback_url"]) == (BODY["task_data"], BODY["callback_url"])
    assert (whole["status"], whole["error"], whole["error_code"]) == ("failed", "It broke.", "internal")
    assert [(a["number"], a["worker_id"], a["outcome"]) for a in whole["attempts"]] == [
        (1, "gpu_heavy@here-1", "failed")
    ]
    assert whole["media"] == []
    assert b"secret.py" not in response.content


@pytest.mark.parametrize("method", ["delete", "post"])
@pytest.mark.parametrize("running", [False, True])
def test_a_task_is_cancelled_by_delete_and_by_post(method: str, running: bool, api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    if running:
        lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"])
    response = getattr(api, method)(f"/api/v1/tasks/{task_id}/cancel")
    assert response.status_code == 200
    assert set(response.json()) == STATUS
    assert (response.json()["status"], response.json()["queue_position"]) == ("cancelled", None)
    assert Task.objects.get().status == "cancelled"


def test_a_failed_task_is_retried_under_the_same_id(api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    attempt = lifecycle.claim("gpu_heavy@here-1", ["gpu_heavy"])
    assert attempt
    lifecycle.fail(attempt, "internal", "It broke.")
    response = api.post(f"/api/v1/tasks/{task_id}/retry")
    assert response.status_code == 201
    assert set(response.json()) == RECEIPT
    assert (response.json()["task_id"], response.json()["status"]) == (task_id, "queued")
    status = get(api, f"tasks/{task_id}/status")
    assert (status["error"], status["error_code"], status["completed_at"]) == (None, None, None)


def conflict(response: Any) -> dict[str, Any]:
    assert response.status_code == 409
    assert list(response.json()) == ["error", "message", "details", "timestamp", "request_id"]
    assert response.json()["error"] == "conflict"
    return response.json()["details"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("call", ["cancel", "retry"])
def test_a_transition_that_the_status_does_not_allow_says_from_which(call: str, api: APIClient) -> None:
    task_id = submit(api)["task_id"]
    api.post(f"/api/v1/tasks/{task_id}/cancel")
    assert conflict(api.post(f"/api/v1/tasks/{task_id}/{call}"))["status"] == "cancelled"


def test_a_queued_task_is_not_retried(api: APIClient) -> None:
    assert conflict(api.post(f"/api/v1/tasks/{submit(api)['task_id']}/retry"))["status"] == "queued"


def test_a_deleted_project_takes_no_submission_and_no_retry(api: APIClient, claim_task: Any) -> None:
    attempt = claim_task()
    lifecycle.fail(attempt, "internal", "It broke.")
    Project.objects.update(deleted_at="2026-11-22T10:30:00Z")
    conflict(api.post("/api/v1/tasks/submit", BODY, format="json"))
    conflict(api.post(f"/api/v1/tasks/{attempt.task_id}/retry"))
    assert Task.objects.count() == 1


def test_a_projects_tasks_come_newest_first_in_pages(api: APIClient) -> None:
    ids = [submit(api)["task_id"] for _ in range(5)]
    submit(api, project_id="other")
    body = get(api, "projects/noir/tasks?limit=2")
    assert [task["task_id"] for task in body["tasks"]] == [ids[4], ids[3]]
    assert body["pagination"] == {"page": 1, "limit": 2, "total": 5, "total_pages": 3}
    assert set(body["tasks"][0]) == WHOLE - {"attempts", "media"}
    assert body["tasks"][0]["queue_position"] == 5
    assert [task["task_id"] for task in get(api, "projects/noir/tasks?limit=2&page=3")["tasks"]] == [ids[0]]
    assert get(api, "projects/noir/tasks?limit=2&page=4")["tasks"] == []


def test_a_projects_tasks_are_filtered_by_status_and_type(api: APIClient) -> None:
    video, image = submit(api)["task_id"], submit(api, task_type="image_generation")["task_id"]
    api.delete(f"/api/v1/tasks/{image}/cancel")
    for query, found in [
        ("status=queued", [video]),
        ("status=cancelled", [image]),
        ("status=failed", []),
        ("task_type=image_generation", [image]),
        ("task_type=generate_video", [video]),
        ("task_type=image_generation&status=queued", []),
    ]:
        body = get(api, f"projects/noir/tasks?{query}")
        assert [task["task_id"] for task in body["tasks"]] == found
        assert body["pagination"]["total"] == len(found)


@pytest.mark.parametrize(
    "query",
    ["status=waiting", "status=%00", "task_type=x", "page=0", "page=x", "page=9223372036854775808", "limit=101"],
)
def test_a_bad_filter_or_page_is_named(query: str, api: APIClient) -> None:
    Project.objects.create(project_id="noir")
    response = api.get(f"/api/v1/projects/noir/tasks?{query}")
    assert response.status_code == 400
    assert set(response.json()["details"]) == {query.split("=", maxsplit=1)[0]}


@pytest.mark.parametrize("path", ["", "/status", "/cancel", "/retry"])
def test_an_address_with_a_trailing_slash_answers_the_same(path: str, api: APIClient) -> None:
    address = f"/api/v1/tasks/{uuid.uuid4()}{path}"
    method = api.get if path in {"", "/status"} else api.post
    assert method(f"{address}/").json()["message"] == method(address).json()["message"]
    assert api.post("/api/v1/tasks/submit/", BODY, format="json").status_code == 201
