"""One owner each: what docs/architecture.md says of the house, checked in the code itself."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
PACKAGES = ("aimovie", "tasks_app", "media_app", "workers_app")
OURS = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def files_with(pattern: str) -> set[str]:
    return {name_of(path) for path in OURS if re.search(pattern, path.read_text())}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{name_of(path)}:{node.lineno} {node.name}", node


def test_only_the_lifecycle_writes_a_tasks_status() -> None:
    """By any name; the demo's `shot.status` is what the API told it."""
    writes = r"""update\([^)]*\bstatus=|(?<!shot)\.status = |"status": (ARROWS|Status)"""
    assert files_with(writes) == {"tasks_app/lifecycle.py"}


def test_only_settings_and_process_starters_read_the_environment() -> None:
    readers = {"aimovie/settings.py", "aimovie/celery.py", "aimovie/site/wsgi.py", "aimovie/site/local.py"}
    assert files_with(r"os\.environ|os\.getenv|getenv\(") <= readers


def test_only_redis_py_spells_keys() -> None:
    assert files_with(r"""f?"(tasks|projects|workers|progress|aimovie|celery:queue):""") <= {
        "aimovie/redis.py",
        "aimovie/settings.py",
    }


def test_only_tasks_py_holds_celery_functions() -> None:
    assert files_with(r"^@shared_task") | files_with(r"\n@shared_task") == {"workers_app/tasks.py"}


def test_no_drawer_for_odds_and_ends() -> None:
    assert not [path for path in OURS if path.stem in {"utils", "helpers", "common", "services", "managers"}]


def test_every_module_says_what_it_is() -> None:
    silent = [
        name_of(path)
        for path in OURS
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_functions_are_short_and_files_too() -> None:
    long = [where for where, node in functions() if (node.end_lineno or 0) - node.lineno + 1 > 40]
    assert not long
    assert not [name_of(path) for path in OURS if path.read_text().count("\n") > 300]


@pytest.mark.parametrize("module", ["aimovie.site.urls", "aimovie.site.wsgi"])
def test_the_web_process_loads_no_model_library(module: str) -> None:
    """Also not through a third module: what is loaded is what is looked at."""
    code = (
        f"import django; django.setup(); import importlib, sys; importlib.import_module('{module}')\n"
        "heavy = ('torch', 'diffusers', 'transformers', 'hibari', 'av', 'PIL', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "aimovie.settings", "AIMOVIE_HOME": str(settings.AIMOVIE_HOME), "PATH": ""}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
