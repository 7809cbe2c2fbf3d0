"""One task of each type, from HTTP to a file, before your eyes."""

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, sleep
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from aimovie.site import local
from aimovie.site.supervise import Supervisor
from media_app.encode import Undecodable, probe
from media_app.models import MediaResult
from tasks_app.models import ApiKey
from tasks_app.queues import NAMES

PROJECT = "demo"
SHOTS: dict[str, dict[str, Any]] = {
    "audio_synthesis": {"text": "The rain had not stopped for three days. Neither had she.", "seed": 7},
    "image_generation": {
        "prompt": "a detective in a dark alley, rain", "resolution": "768x448", "num_inference_steps": 20, "seed": 7,
    },
    "video_generation": {
        "prompt": "a detective in a dark alley, rain", "resolution": "768x448", "duration": 4, "fps": 24,
        "num_inference_steps": 12, "seed": 7,
    },
}  # fmt: skip
PATIENCE = 600.0
FINISHED = {"completed", "failed", "cancelled"}


@dataclass
class Shot:
    """One task as its caller sees it."""

    task_id: str
    bar: TaskID
    status: dict[str, Any]


class Command(BaseCommand):
    help = (
        "Start the embedded stack, make a picture, a line of dialogue and a film over its HTTP API, and stop it again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        plan = local.Plan("127.0.0.1", local.free_port(), dict.fromkeys(NAMES, 1))
        begun = monotonic()
        console = Console()
        try:
            with local.running(plan, console.print) as supervisor:
                console.print(f"The stack is up on {plan.url} after {monotonic() - begun:.1f} s.")
                shots = self._make(plan, supervisor, console)
                problems = self._show(shots, plan, console)
        except local.CannotStart as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped before the end; nothing is left running.", returncode=130) from None
        if problems:
            raise CommandError("\n".join(problems))
        console.print(f"All three completed and decode, {monotonic() - begun:.1f} s in all.")

    def _make(self, plan: local.Plan, supervisor: Supervisor, console: Console) -> list[Shot]:
        key, secret = ApiKey.issue("demo")
        words = TextColumn("{task.description:<17}"), BarColumn(bar_width=40), TextColumn("{task.percentage:>5.1f}%")
        try:
            with (
                httpx2.Client(base_url=f"{plan.url}/api/v1", headers={"X-API-Key": secret}, timeout=30) as api,
                Progress(*words, TimeElapsedColumn(), TextColumn("{task.fields[step]}"), console=console) as bars,
            ):
                shots = [_submit(api, bars, task_type, task_data) for task_type, task_data in SHOTS.items()]
                deadline = monotonic() + PATIENCE
                while monotonic() < deadline and not all(shot.status["status"] in FINISHED for shot in shots):
                    sleep(0.15)
                    supervisor.check()
                    for shot in shots:
                        _poll(api, bars, shot)
                self._download(api, shots)
                return shots
        finally:
            key.delete()

    def _download(self, api: httpx2.Client, shots: list[Shot]) -> None:
        """What a caller would do: read each film from its `media_url`. Only what decodes gets its facts."""
        for shot in shots:
            for media in (shot.status["result"] or {}).get("media", []):
                with NamedTemporaryFile(dir=settings.AIMOVIE_HOME / "tmp") as file, suppress(Undecodable):
                    file.write(api.get(media["media_url"]).raise_for_status().content)
                    file.flush()
                    media["facts"] = probe(Path(file.name))

    def _show(self, shots: list[Shot], plan: local.Plan, console: Console) -> list[str]:
        """Print the table; the sentences about what went wrong."""
        table = Table("type", "format", "resolution", "duration", "size", "took", box=None)
        files = []
        problems = []
        for shot in shots:
            status = shot.status
            if status["status"] != "completed":
                problems.append(f"{status['task_type']} is {status['status']}: {status.get('error') or 'see the logs'}")
                continue
            for media in status["result"]["media"]:
                if "facts" not in media:
                    problems.append(f"{media['media_url']} does not decode.")
                    continue
                table.add_row(status["task_type"], *_facts(media), f"{status['processing_time']:.1f} s")
                files.append(_where(media))
        console.print(table)
        for file in files:
            console.print(file, soft_wrap=True, highlight=False)
        return problems


def _submit(api: httpx2.Client, bars: Progress, task_type: str, task_data: dict[str, Any]) -> Shot:
    body = {"project_id": PROJECT, "task_type": task_type, "priority": 1, "task_data": task_data}
    answer = api.post("/tasks/submit", json=body).raise_for_status().json()
    return Shot(answer["task_id"], bars.add_task(task_type, total=1.0, step="queued"), {**answer, "result": None})


def _poll(api: httpx2.Client, bars: Progress, shot: Shot) -> None:
    if shot.status["status"] in FINISHED:
        return
    shot.status = api.get(f"/tasks/{shot.task_id}/status").raise_for_status().json()
    words = shot.status["waiting_for"] or shot.status["current_step"] or shot.status["status"]
    bars.update(shot.bar, completed=shot.status["progress"], step=words)
    if shot.status["status"] in FINISHED:
        bars.stop_task(shot.bar)


def _where(media: dict[str, Any]) -> str:
    """The file on this disk, or the URL where it is not on this disk."""
    path = settings.MEDIA_ROOT / MediaResult.objects.get(pk=media["media_id"]).storage_key
    return str(path.relative_to(settings.AIMOVIE_HOME.parent)) if path.exists() else str(media["media_url"])


def _facts(media: dict[str, Any]) -> tuple[str, str, str, str]:
    facts = media["facts"]
    duration = f"{facts.duration:.2f} s" if facts.duration else ""
    return facts.format, facts.resolution or "", duration, f"{facts.file_size / 1000:,.0f} kB"
