"""Media over HTTP."""

from django.http import FileResponse, Http404
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
        return FileResponse(
            storage.read(media.storage_key),
            content_type=CONTENT_TYPES[media.format],
            filename=f"{media.task_id}-{media.file_name}",
        )


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
