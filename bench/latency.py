"""What the service adds to a task that does nothing: from submission to start, and from artifact to completed.

    .venv/bin/python bench/latency.py [--tasks 50]

Runs the embedded stack in a folder of its own, with an engine that writes a small picture at once. The times are of one
machine at one moment; what can be compared is their ratio to one bare request, taken in the same run.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil

ROOT = Path(__file__).parent.parent
PORT = 8017


@contextmanager
def stack(home: Path) -> Iterator[tuple[httpx2.Client, int]]:
    """The API of a running stack, and the id of its `up` process."""
    engines = "image=tests.engines.QuickEngine,video=tests.engines.QuickEngine"
    env = {**os.environ, "AIMOVIE_HOME": str(home), "PORT": str(PORT), "ENGINES": engines, "ENGINE_STEPS": "0"}
    env["ENGINE_LOG"] = str(home / "engines.jsonl")
    said = (home / "said").open("w+")
    up = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=env, stdout=said, stderr=said)
    try:
        while "Ctrl-C stops it" not in (text := (home / "said").read_text()):
            time.sleep(0.2)
        key = re.search(r"API key, shown once: (\S+)", text)
        headers = {"X-API-Key": key[1] if key else ""}
        with httpx2.Client(base_url=f"http://127.0.0.1:{PORT}/api/v1", headers=headers, timeout=30) as api:
            while api.get("/workers/status").json()["active_workers"] < 3:
                time.sleep(0.2)
            yield api, up.pid
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def one_task(api: httpx2.Client) -> tuple[float, dict[str, Any]]:
    """Submit one and wait for its end: how long the request took, and the task."""
    body = {"project_id": "bench", "task_type": "image_generation", "task_data": {"prompt": "x", "resolution": "64x64"}}
    begun = time.perf_counter()
    task_id = api.post("/tasks/submit", json=body).raise_for_status().json()["task_id"]
    took = time.perf_counter() - begun
    while (task := api.get(f"/tasks/{task_id}/status").json())["completed_at"] is None:
        time.sleep(0.01)
    return took, task


def resident(up: int) -> dict[str, float]:
    """Megabytes of each child, by what it is."""
    names = {
        "redis-server": "redis",
        "gunicorn": "web",
        "gpu_heavy": "worker, idle",
        "gpu_medium": "worker, after the tasks",
    }
    return {
        label: process.memory_info().rss / 1e6
        for process in psutil.Process(up).children(recursive=True)
        for word, label in names.items()
        if word in " ".join(process.cmdline())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=50)
    count = parser.parse_args().tasks
    with tempfile.TemporaryDirectory(prefix="aim-", dir="/tmp") as folder, stack(Path(folder)) as (api, up):
        one_task(api)
        bare, requests, starts, ends = [], [], [], []
        for _ in range(count):
            begun = time.perf_counter()
            api.get("/health/live").raise_for_status()
            bare.append(time.perf_counter() - begun)
            took, task = one_task(api)
            requests.append(took)
            starts.append(moment(task["started_at"]) - moment(task["created_at"]))
            lines = [json.loads(line) for line in (Path(folder) / "engines.jsonl").read_text().splitlines()]
            artifact = next(line["at"] for line in lines if line["event"] == "end" and line["task"] == task["task_id"])
            ends.append(moment(task["completed_at"]) - artifact)
        show("one bare request (/health/live)", bare, bare)
        show("one submission", requests, bare)
        show("from submission to start", starts, bare)
        show("from artifact to completed", ends, bare)
        for label, megabytes in resident(up).items():
            print(f"{label:<34} {megabytes:7.0f} MB resident")


def show(what: str, times: list[float], bare: list[float]) -> None:
    middle = statistics.median(times)
    worst = sorted(times)[int(0.9 * len(times))]
    ratio = middle / statistics.median(bare)
    print(f"{what:<34} median {middle * 1000:6.1f} ms   p90 {worst * 1000:6.1f} ms   x{ratio:.1f}")


if __name__ == "__main__":
    main()
