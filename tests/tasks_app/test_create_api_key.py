"""manage.py create_api_key"""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tasks_app.models import ApiKey, Project

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"task_type": "image_generation", "task_data": {"prompt": "a red door"}}


def create(*arguments: str) -> str:
    """The secret: the last word of what was printed."""
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue().split()[-1]


def submits_to(secret: str, project_id: str) -> int:
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=secret)
    answer: Any = client.post("/api/v1/tasks/submit", {**BODY, "project_id": project_id}, format="json")
    return int(answer.status_code)


def test_the_last_word_is_a_key_that_works_for_every_project() -> None:
    secret = create("movie app")
    key = ApiKey.objects.get()
    assert (key.name, key.is_operator, key.all_projects) == ("movie app", False, True)
    assert submits_to(secret, "noir") == 201


def test_an_operator_key_says_so() -> None:
    create("ops", "--operator")
    assert ApiKey.objects.get().is_operator


def test_a_key_is_bound_to_each_project_that_is_named() -> None:
    secret = create("agent", "--project", "noir", "--project", "rosso")
    assert not ApiKey.objects.get().all_projects
    assert [submits_to(secret, name) for name in ("noir", "rosso", "verde")] == [201, 201, 404]


def test_a_project_that_is_there_already_is_kept() -> None:
    Project.objects.create(project_id="noir", project_name="Film noir")
    create("agent", "--project", "noir")
    assert Project.objects.get().project_name == "Film noir"


def test_keys_may_share_a_name_and_never_a_secret() -> None:
    assert create("agent") != create("agent")
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("project_id", ["a b", "active", "", "x" * 65, "../up", "noir\n"])
def test_a_bad_project_id_is_named_and_nothing_is_made(project_id: str) -> None:
    with pytest.raises(CommandError, match="--project"):
        create("agent", "--project", "good", "--project", project_id)
    assert not ApiKey.objects.exists()
    assert not Project.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_bad_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(CommandError, match="name"):
        create(name)
    assert not ApiKey.objects.exists()


def test_without_a_name_there_is_no_key() -> None:
    with pytest.raises(CommandError, match="name"):
        create()
