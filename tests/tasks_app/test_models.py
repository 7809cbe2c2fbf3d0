"""What the database itself refuses, however the row gets there."""

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now
from django.utils import timezone

from tasks_app.models import ApiKey, Attempt, Project, Task

pytestmark = pytest.mark.django_db


def project_row(**fields: Any) -> Project:
    names = {"project_id": "noir", "project_name": "Noir", "storage_prefix": "projects/noir"}
    return Project(**{**names, **fields})


def task_row(**fields: Any) -> Task:
    return Task(
        **{
            "project_id": "noir",
            "task_type": "image_generation",
            "task_data": {"prompt": "a red door"},
            "created_at": timezone.now(),
            "estimated_duration": 30,
            "queue_name": "gpu_medium",
            **fields,
        }
    )


def attempt_row(task: Task, **fields: Any) -> Attempt:
    now = timezone.now()
    return Attempt(
        **{"task": task, "number": 1, "worker_id": "worker-1", "started_at": now, "lease_until": now, **fields}
    )


@pytest.fixture
def project() -> Project:
    return Project.objects.bulk_create([project_row()])[0]


@pytest.fixture
def task(project: Project) -> Task:
    return Task.objects.bulk_create([task_row()])[0]


ENDED = {"completed_at": Now()}
FAILED = {"status": "failed", "error": "It broke.", "error_code": "internal", **ENDED}


@pytest.mark.parametrize("project_id", ["a", "A-1_b", "-", "x" * 64, "actively", "Active"])
def test_a_good_project_passes(project_id: str) -> None:
    Project.objects.bulk_create([project_row(project_id=project_id)])


@pytest.mark.parametrize(
    "project_id",
    ["", "noir\n", "\nnoir", "a b", "a/b", "a:b", "a.b", "..", "é", "n*", "active", "noir\r", "१"],
)
def test_a_project_id_out_of_pattern_is_refused(project_id: str) -> None:
    with pytest.raises(IntegrityError, match="project_id_"):
        Project.objects.bulk_create([project_row(project_id=project_id)])


@pytest.mark.parametrize("prefix", ["projects/noir", "a", "studio-1/films/noir.v2", "a..b/c", "_/-"])
def test_a_good_storage_prefix_passes(prefix: str) -> None:
    Project.objects.bulk_create([project_row(storage_prefix=prefix)])


@pytest.mark.parametrize(
    "prefix",
    ["", "..", "../up", "projects/../other", "projects/..", ".", "a/./b", "/root", "a/", "a//b", "a b", "a\\b", "a\n",
     ".hidden", "s3://bucket", "a/\n"],
)  # fmt: skip
def test_a_storage_prefix_that_is_no_plain_relative_path_is_refused(prefix: str, project: Project) -> None:
    with pytest.raises(IntegrityError, match="project_storage_prefix_is_a_path"):
        Project.objects.filter(pk="noir").update(storage_prefix=prefix)


def test_two_projects_never_share_a_storage_prefix(project: Project) -> None:
    with pytest.raises(IntegrityError):
        Project.objects.bulk_create([project_row(project_id="other")])


def test_a_project_is_named_and_placed_by_its_id_where_nothing_is_said() -> None:
    made = Project.objects.create(project_id="noir")
    assert (made.project_name, made.storage_prefix) == ("noir", "projects/noir")


def test_a_project_with_tasks_is_not_taken_away(task: Task) -> None:
    with pytest.raises(ProtectedError):
        Project.objects.get(pk="noir").delete()


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 2},
        {"priority": 1},
        {"priority": 3},
        {"progress": 0.999},
        {"status": "processing", "started_at": Now()},
        {"status": "completed", "progress": 1.0, **ENDED},
        {"status": "cancelled", "progress": 0.5, **ENDED},
        FAILED,
        {"callback_url": "https://movie.example/hook"},
        {"callback_url": "http://10.0.0.7:3000/hook?a=b#c"},
        {"callback_url": "HTTPS://MOVIE.EXAMPLE"},
        {"metadata": {"deep": [1, {"a": None}]}},
    ],
)
def test_a_good_task_passes(fields: dict[str, Any], task: Task) -> None:
    assert Task.objects.filter(pk=task.pk).update(**fields) == 1


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"status": "waiting"}, "task_status_known"),
        ({"status": ""}, "task_status_known"),
        ({"status": "QUEUED"}, "task_status_known"),
        ({"task_type": "generate_video"}, "task_type_known"),
        ({"task_type": "hologram"}, "task_type_known"),
        ({"priority": 0}, "task_priority_1_2_3"),
        ({"priority": 4}, "task_priority_1_2_3"),
        ({"progress": -0.01}, "task_progress_0_to_1"),
        ({"status": "completed", "progress": 1.01, **ENDED}, "task_progress_"),
        ({"progress": 1.0}, "task_progress_1_exactly_when_completed"),
        ({"status": "processing", "started_at": Now(), "progress": 1.0}, "task_progress_1_exactly_when_completed"),
        ({**FAILED, "progress": 1.0}, "task_progress_1_exactly_when_completed"),
        ({"status": "completed", "progress": 0.99, **ENDED}, "task_progress_1_exactly_when_completed"),
        ({"callback_url": "ftp://movie.example/hook"}, "task_callback_url_http"),
        ({"callback_url": "javascript:alert(1)"}, "task_callback_url_http"),
        ({"callback_url": "movie.example/hook"}, "task_callback_url_http"),
        ({"callback_url": "http://"}, "task_callback_url_http"),
        ({"callback_url": "https:///path"}, "task_callback_url_http"),
        ({"callback_url": " https://movie.example"}, "task_callback_url_http"),
        ({"callback_url": ""}, "task_callback_url_http"),
        ({"completed_at": Now()}, "task_completed_at_when_finished"),
        ({"status": "cancelled"}, "task_completed_at_when_finished"),
        ({"status": "processing"}, "task_started_at_when_processing"),
        ({"error": "It broke."}, "task_error_when_failed"),
        ({"error_code": "internal"}, "task_error_when_failed"),
        ({**FAILED, "error": None}, "task_error_when_failed"),
        ({**FAILED, "error_code": None}, "task_error_when_failed"),
        ({**FAILED, "error_code": "bad_luck"}, "task_error_when_failed"),
        ({"mirrored": 2}, "task_mirrored_not_ahead"),
    ],
)
def test_a_task_out_of_the_rules_is_refused(fields: dict[str, Any], constraint: str, task: Task) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        Task.objects.filter(pk=task.pk).update(**fields)


def test_progress_that_is_no_number_is_refused(task: Task) -> None:
    with pytest.raises(IntegrityError):
        Task.objects.filter(pk=task.pk).update(progress=float("nan"))


def test_a_task_id_is_there_once(task: Task) -> None:
    with pytest.raises(IntegrityError):
        Task.objects.bulk_create([task_row(task_id=task.pk)])


@pytest.mark.django_db(transaction=True)
def test_a_task_belongs_to_a_project_that_exists() -> None:
    with pytest.raises(IntegrityError):
        Task.objects.bulk_create([task_row(project_id="nowhere")])


def test_task_ids_are_in_order_of_creation() -> None:
    ids = [task_row().task_id for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert {task_id.version for task_id in ids} == {7}


def test_a_task_has_one_open_attempt_at_most(task: Task) -> None:
    Attempt.objects.bulk_create([attempt_row(task)])
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.bulk_create([attempt_row(task, number=2, worker_id="worker-2")])
    Attempt.objects.update(finished_at=Now(), outcome="lost")
    Attempt.objects.bulk_create([attempt_row(task, number=2, worker_id="worker-2")])


def test_a_worker_has_one_open_attempt_at_most(task: Task) -> None:
    other = Task.objects.bulk_create([task_row()])[0]
    Attempt.objects.bulk_create([attempt_row(task)])
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.bulk_create([attempt_row(other)])
    Attempt.objects.update(finished_at=Now(), outcome="completed")
    Attempt.objects.bulk_create([attempt_row(other)])


def test_the_number_of_an_attempt_is_there_once_per_task(task: Task) -> None:
    closed = {"finished_at": timezone.now(), "outcome": "lost"}
    Attempt.objects.bulk_create([attempt_row(task, **closed)])
    with pytest.raises(IntegrityError):
        Attempt.objects.bulk_create([attempt_row(task, worker_id="worker-2")])


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "failed"},
        {"finished_at": Now()},
        {"finished_at": Now(), "outcome": "gone"},
    ],
)
def test_an_attempt_has_an_outcome_exactly_when_it_is_finished(fields: dict[str, Any], task: Task) -> None:
    Attempt.objects.bulk_create([attempt_row(task)])
    with pytest.raises(IntegrityError, match="attempt_outcome_when_finished"):
        Attempt.objects.update(**fields)


def test_a_key_is_kept_as_a_digest_alone() -> None:
    key, secret = ApiKey.issue("the movie app")
    kept = [str(value) for value in ApiKey.objects.values_list().get(pk=key.pk)]
    assert not any(secret in value for value in kept)
    assert len(secret) >= 32
    assert ApiKey.digest_of(secret) == key.digest != ApiKey.digest_of(uuid.uuid4().hex)
