"""Make an API key and print it, once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Model

from tasks_app.models import ApiKey, Project


class Command(BaseCommand):
    help = "Make an API key. Its secret is the last word printed; it is kept nowhere and cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="who will use it; shown in the admin")
        parser.add_argument("--operator", action="store_true", help="may pause queues and change projects' limits")
        parser.add_argument(
            "--project", action="append", default=[], metavar="ID", dest="projects",
            help="reach this project only; repeat for more (default: every project). A new one is made.",
        )  # fmt: skip

    @transaction.atomic
    def handle(self, *args: Any, name: str, operator: bool, projects: list[str], **options: Any) -> str:
        _check("name", ApiKey(name=name.strip()), "name")
        bound = [_project(project_id) for project_id in projects]
        key, secret = ApiKey.issue(name.strip(), is_operator=operator, projects=bound or None)
        reach = ", ".join(projects) or "every project"
        return f"API key '{key.name}' reaches {reach}. Keep it now, it is not shown again: {secret}"


def _project(project_id: str) -> Project:
    _check(f"--project {project_id}", Project(project_id=project_id), "project_id")
    return Project.objects.get_or_create(project_id=project_id)[0]


def _check(argument: str, row: Model, field: str) -> None:
    """Refuse, in the field's own words, what it would not take."""
    try:
        row.clean_fields(exclude=[other.name for other in row._meta.fields if other.name != field])
    except ValidationError as error:
        raise CommandError(f"{argument}: {'; '.join(error.messages)}") from error
