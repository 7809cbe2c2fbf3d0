"""What shows or starts the whole."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "aimovie.site"
    label = "site"

    def ready(self) -> None:
        from aimovie import checks  # noqa: F401
