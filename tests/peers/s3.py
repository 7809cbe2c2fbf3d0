"""A real S3 server over HTTP: moto's, in a process of its own, started and ended by the tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import httpx2

from aimovie.site.local import free_port
from tests.acceptance.conftest import eventually


@dataclass(frozen=True)
class S3:
    url: str
    bucket: str

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point a process of ours here."""
        return {
            "R2_BUCKET": self.bucket, "R2_ENDPOINT_URL": self.url, "R2_ACCESS_KEY_ID": "test",
            "R2_SECRET_ACCESS_KEY": "test", "R2_PUBLIC_URL": "https://media.movie.example",
        }  # fmt: skip

    def keys(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]


@contextmanager
def running() -> Iterator[S3]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        s3 = S3(f"http://127.0.0.1:{port}", "movies")
        eventually(lambda: _answers(s3.url))
        s3.client.create_bucket(Bucket=s3.bucket)
        yield s3
    finally:
        server.kill()
        server.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/moto-api/data.json", timeout=2).is_success
    except httpx2.HTTPError:
        return False
