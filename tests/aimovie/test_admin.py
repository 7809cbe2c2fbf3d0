"""The admin: every row can be looked at, none can be touched."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult

from media_app.models import MediaResult, media_id_of
from tasks_app import lifecycle
from tasks_app.models import ApiKey, Project, Task
from workers_app import executions
from workers_app.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)

OURS = [
    model
    for label in ("tasks_app", "media_app", "workers_app")
    for model in apps.get_app_config(label).get_models()
    if not model._meta.auto_created
]


@pytest.fixture
def staff(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(claim_task: Any) -> None:
    """At least one row of every model, with everything that a row may have."""
    attempt = claim_task("gpu_medium@here/1", metadata={"scene": "雨 <b>"}, callback_url="https://movie.example/hook")
    lifecycle.fail(attempt, "internal", "It broke.", traceback="File a.py, line 1\nKeyError: 'x'")
    executions.record(attempt)
    now = timezone.now()
    Worker.objects.create(
        worker_id="gpu_medium@here/1", worker_type="gpu_medium", state="busy", current_task_id=attempt.task_id,
        queue_names=["gpu_medium"], started_at=now, last_heartbeat=now,
    )  # fmt: skip
    ApiKey.issue("the movie app", projects=[Project.objects.get()])
    MediaResult.objects.create(
        media_id=media_id_of(attempt.task_id, 1), task_id=attempt.task_id, project_id="noir", file_size=11,
        media_type="character_design", media_url="https://media.example/output.jpg", storage_key="a/output.jpg",
        file_name="output.jpg", resolution="64x64", format="JPEG", created_at=now,
    )  # fmt: skip


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_every_model_is_in_the_admin() -> None:
    assert {model for model in OURS if not admin.site.is_registered(model)} == set()


@pytest.mark.parametrize("model", OURS)
def test_rows_are_shown_in_a_list_and_one_by_one(model: type[Model], staff: Client, rows: None) -> None:
    row = model._default_manager.get()
    listed = staff.get(page(model, "changelist"))
    assert listed.status_code == 200
    one = page(model, "change", quote(row.pk))
    assert one in listed.content.decode()
    assert staff.get(one).status_code == 200
    assert staff.get(page(model, "history", quote(row.pk))).status_code == 200


@pytest.mark.parametrize("model", OURS)
def test_no_way_to_add_change_or_delete_is_offered(model: type[Model], staff: Client, rows: None) -> None:
    row = model._default_manager.get()
    links = (f'href="{page(model, "add")}"', page(model, "delete", quote(row.pk)))
    for path in (page(model, "changelist"), page(model, "change", quote(row.pk))):
        text = staff.get(path).content.decode()
        for button in (*links, 'name="_save"', 'name="_continue"', "delete_selected", "-DELETE"):
            assert button not in text, f"{button} on {path}"


@pytest.mark.parametrize("model", OURS)
def test_nothing_can_be_added_changed_or_deleted(model: type[Model], staff: Client, rows: None) -> None:
    row = model._default_manager.get()
    before = model._default_manager.values().get()
    for path in (page(model, "add"), page(model, "change", quote(row.pk)), page(model, "delete", quote(row.pk))):
        assert staff.post(path, {"post": "yes"}).status_code == 403, path
    action = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    staff.post(page(model, "changelist"), action)
    assert model._default_manager.values().get() == before


def test_an_execution_record_cannot_be_added_changed_or_deleted(staff: Client, rows: None) -> None:
    row = TaskResult.objects.get()
    assert staff.get(page(TaskResult, "change", row.pk)).status_code == 200
    for path in (page(TaskResult, "add"), page(TaskResult, "change", row.pk), page(TaskResult, "delete", row.pk)):
        assert staff.post(path, {"post": "yes"}).status_code == 403, path


@pytest.mark.parametrize("model", OURS)
@pytest.mark.parametrize("query", ["q=noir", "q=%27%22%3C", "q=0193b5c4-7a1e-7c3f-8d2a-000000000001", "p=2", "o=1.2"])
def test_a_list_can_be_searched_and_ordered(model: type[Model], query: str, staff: Client, rows: None) -> None:
    assert staff.get(f"{page(model, 'changelist')}?{query}").status_code in {200, 302}


def test_a_task_is_found_by_its_id(staff: Client, rows: None) -> None:
    task = Task.objects.get()
    text = staff.get(f"{page(Task, 'changelist')}?q={task.pk}").content.decode()
    assert page(Task, "change", task.pk) in text


def test_what_a_client_sent_is_shown_as_text(staff: Client, rows: None) -> None:
    text = staff.get(page(Task, "change", Task.objects.get().pk)).content.decode()
    assert "&lt;b&gt;" in text
    assert "<b>&quot;" not in text


def test_a_task_shows_its_attempts_with_a_link_to_their_execution(staff: Client, rows: None) -> None:
    text = staff.get(page(Task, "change", Task.objects.get().pk)).content.decode()
    assert "gpu_medium@here/1" in text
    assert "/admin/django_celery_results/taskresult/" in text


def test_a_key_shows_neither_its_secret_nor_its_digest(staff: Client, rows: None) -> None:
    key = ApiKey.objects.get()
    text = staff.get(page(ApiKey, "change", key.pk)).content.decode()
    assert key.prefix in text
    assert key.digest not in text


def test_a_stranger_sees_nothing(rows: None) -> None:
    for model in OURS:
        response = Client().get(page(model, "changelist"))
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_the_root_leads_to_the_admin(staff: Client) -> None:
    assert staff.get("/", follow=True).redirect_chain[-1][0] == "/admin/"
