"""The whole service on this machine, until Ctrl-C."""

import secrets
import signal
import sys
from time import sleep
from typing import Any, NoReturn

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from aimovie.site import local
from tasks_app.models import ApiKey


class Command(BaseCommand):
    help = (
        "Run the embedded stack (Redis, web server, workers) until Ctrl-C. Everything it keeps is below AIMOVIE_HOME."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="listen here (HOST, default %(default)s)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="and here (PORT, default %(default)s)")
        parser.add_argument("--home", default=settings.AIMOVIE_HOME, help="keep everything here (AIMOVIE_HOME)")
        for name, count in settings.WORKERS.items():
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=int, default=count, metavar="N", dest=name,
                help=f"workers of {name} (WORKERS_{name.upper()}, default %(default)s)",
            )  # fmt: skip

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        plan = local.Plan(host, port, {name: options[name] for name in settings.WORKERS})
        signal.signal(signal.SIGTERM, _as_ctrl_c)
        try:
            with local.running(plan, self.stderr.write) as supervisor:
                self._welcome(plan)
                while True:
                    supervisor.check()
                    sleep(0.5)
        except local.CannotStart as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped. What was waiting goes on at the next start.")

    def _welcome(self, plan: local.Plan) -> None:
        self.stdout.write(f"AI Movie task service on {plan.url} (API: {plan.url}/api/v1, admin: {plan.url}/admin/)")
        self.stdout.write(f"Everything is kept in {settings.AIMOVIE_HOME}; logs in {settings.AIMOVIE_HOME / 'logs'}")
        if not ApiKey.objects.exclude(name="demo").exists():
            self.stdout.write(f"First API key, shown once: {ApiKey.issue('first', is_operator=True)[1]}")
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser("admin", password=password)
            self.stdout.write(f"Admin login, shown once: admin / {password}")
        self.stdout.write("Ctrl-C stops it.")
        self.stdout.flush()


def _as_ctrl_c(*_: Any) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.flush()
    raise KeyboardInterrupt
