"""Cloudflare R2, by django-storages; apart from `storage`, so that a folder needs no S3 client."""

from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

R2 = Config(
    signature_version="s3v4",
    # boto3 from 1.36 on adds checksums by itself, which R2 answers with Unauthorized.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    connect_timeout=5,
    read_timeout=25,
    retries={"max_attempts": 3, "mode": "standard"},
    s3={"addressing_style": "path"},
)
PROBE = R2.merge(Config(connect_timeout=2, read_timeout=2, retries={"max_attempts": 0}))
# One request, which the server does whole or not at all; the parts of a long copy could outlive the row's lock.
WHOLE = TransferConfig(multipart_threshold=5 * 2**30)
SPOOLED = 8 * 2**20
"""Bytes of a file being read that stay in memory; more goes to disk."""


class BucketStorage(S3Storage):  # type: ignore[misc]
    """A bucket of R2, or of any other server that speaks S3."""

    def __init__(self, **options: Any) -> None:
        super().__init__(region_name="auto", client_config=R2, file_overwrite=True, max_memory_size=SPOOLED, **options)

    def copy(self, source: str, target: str) -> None:
        try:
            self.connection.meta.client.copy(
                {"Bucket": self.bucket_name, "Key": source}, self.bucket_name, target, Config=WHOLE
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                raise FileNotFoundError(source) from error
            raise

    def answers(self) -> bool:
        """Asks for the bucket itself, with little patience: a health page must not hang with what it asks."""
        client = self._create_session().client("s3", endpoint_url=self.endpoint_url, region_name="auto", config=PROBE)
        try:
            client.head_bucket(Bucket=self.bucket_name)
        except (BotoCoreError, ClientError):
            return False
        return True
