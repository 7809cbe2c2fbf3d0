"""The settings and the page that lists them say the same."""

import re

from django.conf import settings

from tasks_app.queues import NAMES


def test_every_setting_is_listed_and_every_listed_one_exists() -> None:
    listed = set(re.findall(r"^#([A-Z0-9_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.MULTILINE))
    source = (settings.BASE_DIR / "aimovie" / "settings.py").read_text()
    read = set(re.findall(r"env\.\w+\(\"([A-Z0-9_]+)\"", source))
    assert listed == read | {f"WORKERS_{name.upper()}" for name in NAMES}
