"""What the engines' libraries would do on their own: they are told not to."""

import os
import subprocess
import sys
from pathlib import Path

SPEAK = """
import django; django.setup()
from hibari import Hibari; Hibari()("Hello there.", seed=0)
"""


def test_speech_writes_nothing_into_the_users_home_and_reports_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "aimovie.settings"}
    for name in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", SPEAK], env=environment, check=True, timeout=120)
    assert not list(tmp_path.rglob("*"))
