"""Cloudflare R2, by django-storages; apart from `storage`, so that a folder needs no boto3."""

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage

R2 = Config(
    signature_version="s3v4",
    # boto3 from 1.36 on adds checksums by itself, which R2 answers with Unauthorized.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=5,
    read_timeout=60,
    retries={"max_attempts": 3, "mode": "standard"},
    s3={"addressing_style": "path"},
)


class BucketStorage(S3Storage):  # type: ignore[misc]
    """A bucket of R2, or of any other server that speaks S3."""

    def __init__(self, **options: Any) -> None:
        super().__init__(region_name="auto", client_config=R2, file_overwrite=True, **options)

    def copy(self, source: str, target: str) -> None:
        self.connection.meta.client.copy({"Bucket": self.bucket_name, "Key": source}, self.bucket_name, target)
