"""Who may ask: API keys, and which projects a key reaches. What a key does not reach does not exist for it."""

import re
from typing import cast
from uuid import UUID

from django.http import Http404
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request

from tasks_app.models import ApiKey, Project, Task
from tasks_app.models.project import ID_PATTERN

UUID_PATTERN = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class ApiKeyAuthentication(BaseAuthentication):
    """`X-API-Key: <key>`."""

    def authenticate(self, request: Request) -> tuple[ApiKey, None] | None:
        secret = request.headers.get("X-API-Key")
        if not secret:
            return None
        key = ApiKey.objects.valid().filter(digest=ApiKey.digest_of(secret)).first()
        if key is None:
            raise AuthenticationFailed("This API key is wrong, expired or revoked.")
        return key, None

    def authenticate_header(self, request: Request) -> str:
        return 'ApiKey realm="aimovie", header="X-API-Key"'


def key_of(request: Request) -> ApiKey:
    """The key that this request came with."""
    return cast(ApiKey, request.user)


def uuid_from(name: str, text: str) -> UUID:
    """An id of the path.

    Raises:
        ValidationError: it is malformed; 400, before anything is looked up.
    """
    if not UUID_PATTERN.fullmatch(text):  # UUID() itself takes braces, "urn:uuid:" and digits of any alphabet
        raise ValidationError({name: ["must be a UUID"]})
    return UUID(text)


def task_for(request: Request, task_id: str) -> Task:
    """The task, if it exists for this key.

    Raises:
        ValidationError: the id is malformed.
        Http404: unknown, or another project's: the caller cannot tell which.
    """
    rows = Task.objects.reached_by(key_of(request)).select_related("project")
    task = rows.filter(pk=uuid_from("task_id", task_id)).first()
    if task is None:
        raise Http404
    return task


def project_for(request: Request, project_id: str) -> Project:
    """The project, if it exists for this key.

    Raises:
        Http404: unknown, or out of reach.
    """
    key = key_of(request)
    rows = Project.objects.all() if key.all_projects else key.projects.all()
    # What can be no id is not looked up: PostgreSQL would choke on a NUL.
    project = rows.filter(pk=project_id).first() if re.match(ID_PATTERN, project_id) else None
    if project is None:
        raise Http404
    return project


def check_submission_reaches(request: Request, project_id: str) -> None:
    """A key that reaches every project may name a new one; a bound key only its own.

    Raises:
        Http404: the project is out of this key's reach.
    """
    if not key_of(request).all_projects:
        project_for(request, project_id)
