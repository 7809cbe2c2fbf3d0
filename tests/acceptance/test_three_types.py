"""The main path, whole: over HTTP to a picture, a voice and a film by real models on real workers."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis

from media_app.encode import probe, read_tags
from media_app.models import MediaResult
from tasks_app.models import Task
from tests import environment
from tests.acceptance.conftest import recorded

REAL = {
    "ENGINES": "image=workers_app.engines.diffusers_image.ImageEngine,"
    "video=workers_app.engines.diffusers_video.VideoEngine,speech=workers_app.engines.speech.SpeechEngine",
    # Loading torch on a busy machine can keep the GIL for seconds; what this test looks at is not the lease.
    "LEASE_SECONDS": "60",
}

CASES = {
    "image_generation": (
        "gpu_medium",
        {"prompt": "a red door", "resolution": "208x120", "num_inference_steps": 6, "seed": 7},
    ),
    "video_generation": (
        "gpu_heavy",
        {
            "prompt": "a red door opens",
            "resolution": "208x120",
            "duration": 1.5,
            "fps": 12,
            "num_inference_steps": 3,
            "seed": 7,
        },
    ),
    "audio_synthesis": ("cpu_intensive", {"text": "Nobody leaves this house tonight.", "seed": 7}),
}
WHERE = {
    "image_generation": "image/{}/output.jpg",
    "video_generation": "video/{}/output.mp4",
    "audio_synthesis": "audio/{}/output.mp3",
}


def follow(service: httpx2.Client, task_id: str) -> list[dict[str, Any]]:
    """Every different status body until the task is finished."""
    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + 120
    while not seen or seen[-1]["completed_at"] is None:
        assert time.monotonic() < deadline, seen[-3:]
        body = service.get(f"/tasks/{task_id}/status").raise_for_status().json()
        if not seen or body["progress"] != seen[-1]["progress"] or body["status"] != seen[-1]["status"]:
            seen.append(body)
        time.sleep(0.02)
    return seen


@pytest.mark.parametrize("task_type", CASES)
def test_from_http_to_a_file_where_it_belongs(
    task_type: str, service: httpx2.Client, worker: Any, store: Redis, tmp_path: Path
) -> None:
    queue_name, task_data = CASES[task_type]
    body = {
        "project_id": "noir",
        "task_type": task_type,
        "priority": 1,
        "task_data": task_data,
        "metadata": {"scene_id": "s1"},
    }
    answer = service.post("/tasks/submit", json=body)
    assert answer.status_code == 201
    task_id = answer.json()["task_id"]
    worker(queue_name, **REAL)

    seen = follow(service, task_id)
    end = seen[-1]
    assert end["status"] == "completed", end
    assert [body["progress"] for body in seen] == sorted(body["progress"] for body in seen)
    assert all((body["progress"] == 1.0) == (body["status"] == "completed") for body in seen)
    assert len({body["current_step"] for body in seen}) > 3, "steps were seen on the way"
    assert 3500 < store.ttl(f"progress:{task_id}") <= 3600

    (media,) = end["result"]["media"]
    path = tmp_path / media["file_name"]
    path.write_bytes(service.get(f"/media/{media['media_id']}/content").raise_for_status().content)
    key = f"projects/noir/{WHERE[task_type].format(task_id)}"
    assert (environment.HOME / "media" / key).read_bytes() == path.read_bytes()
    assert MediaResult.objects.get().storage_key == key
    check_facts(media, path)
    check_tags(read_tags(path), task_id, task_data)
    assert recorded(Task.objects.get()).execution.status == "SUCCESS"
    assert Task.objects.get().result == end["result"]
    assert not list((environment.HOME / "work").iterdir())


def check_facts(media: dict[str, Any], path: Path) -> None:
    """What the answer says is what the file is."""
    facts = probe(path)
    assert (media["format"], media["resolution"], media["duration"]) == (facts.format, facts.resolution, facts.duration)
    assert media["file_size"] == path.stat().st_size
    if facts.format == "MP4":
        assert (facts.resolution, facts.fps) == ("208x120", 12)
        assert facts.duration == pytest.approx(1.5)
    if facts.format == "JPEG":
        assert facts.resolution == "208x120"
    if facts.format == "MP3":
        assert 1 < facts.duration < 5


def check_tags(tags: dict[str, str], task_id: str, task_data: dict[str, Any]) -> None:
    assert (tags["project"], tags["task"], tags["seed"]) == ("noir", task_id, "7")
    assert tags["prompt"] == task_data.get("prompt", task_data.get("text"))
    assert tags["model"]
    assert tags["title"]
