"""With the settings of R2 there, a real worker's picture lands in the bucket, under the custom domain."""

from typing import Any

from media_app.models import MediaResult
from tests.acceptance.conftest import finished
from tests.peers import s3


def test_a_picture_lands_in_the_bucket_and_nothing_else_stays_there(worker: Any, make_task: Any) -> None:
    with s3.running() as server:
        worker(**server.environment)
        (task,) = finished(make_task())
        assert task.status == "completed", task.error
        key = f"projects/noir/image/{task.pk}/output.jpg"
        assert server.keys() == [key]
        assert MediaResult.objects.get().media_url == f"https://media.movie.example/{key}"
        body = server.client.get_object(Bucket=server.bucket, Key=key)
        assert body["ContentType"] == "image/jpeg"
        assert body["Body"].read(2) == b"\xff\xd8"
