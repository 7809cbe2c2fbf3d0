"""Media over HTTP."""

from typing import IO

from django.http import FileResponse, Http404
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from media_app import storage
from media_app.encode import CONTENT_TYPES
from media_app.models import MediaResult
from tasks_app import access


class ContentView(APIView):
    """The bytes of a media result."""

    def get(self, request: Request, media_id: str) -> FileResponse:
        media = media_for(request, media_id)
        name = f"{media.task_id}-{media.file_name}"
        return FileResponse(_open(media), content_type=CONTENT_TYPES[media.format], filename=name)


class StorageAway(APIException):
    """The bucket does not answer."""

    status_code = 503
    default_detail = "The storage is away; try again soon."


def _open(media: MediaResult) -> IO[bytes]:
    try:
        return storage.read(media.storage_key)
    except FileNotFoundError as error:
        raise Http404 from error
    except storage.UNAVAILABLE as error:
        raise StorageAway from error


def media_for(request: Request, media_id: str) -> MediaResult:
    """The media result, if it exists for this key.

    Raises:
        ValidationError: the id is malformed.
        Http404: unknown, or another project's.
    """
    key = access.key_of(request)
    rows = MediaResult.objects.all() if key.all_projects else MediaResult.objects.filter(project__in=key.projects.all())
    media = rows.filter(pk=access.uuid_from("media_id", media_id)).first()
    if media is None:
        raise Http404
    return media
