"""What each type of task may be asked: one serializer per type; keys it does not know are kept as they are."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from tasks_app.fields import Choice, ImageReference, Integer, Number, Resolution, Text
from tasks_app.models import TaskType

MAX_SIDE = 4096
MAX_PIXELS = 4096 * 2304
PACES = {"slow": 0.8, "normal": 1.0, "fast": 1.25}


class TaskData(serializers.Serializer[Any]):
    """What all types share. Absent and null mean the same: the model's own default."""

    task_type: str

    seed = Integer(min_value=0, max_value=2**63 - 1, required=False, allow_null=True)
    model = Text(max_length=500, required=False, allow_null=True)
    num_inference_steps = Integer(min_value=1, max_value=500, required=False, allow_null=True)
    guidance_scale = Number(min_value=0, max_value=100, required=False, allow_null=True)
    negative_prompt = Text(required=False, allow_null=True, allow_blank=True)

    def validate_model(self, value: str | None) -> str | None:
        allowed = settings.MODELS[self.task_type]
        if value is not None and value not in allowed:
            raise serializers.ValidationError(f"unknown model; allowed here: {', '.join(allowed) or 'none'}")
        return value


class PictureData(TaskData):
    """The words that describe a scene, and its size."""

    default_size: tuple[int, int]

    prompt = Text(required=False, allow_null=True)
    character_description = Text(required=False, allow_null=True)
    scene_description = Text(required=False, allow_null=True)
    pose = Text(required=False, allow_null=True, allow_blank=True)
    lighting = Text(required=False, allow_null=True, allow_blank=True)
    camera_angle = Text(required=False, allow_null=True, allow_blank=True)
    style = Text(required=False, allow_null=True, allow_blank=True)  # type: ignore[assignment]
    resolution = Resolution(required=False, allow_null=True)
    width = Integer(min_value=16, max_value=MAX_SIDE, required=False, allow_null=True)
    height = Integer(min_value=16, max_value=MAX_SIDE, required=False, allow_null=True)

    def validate_resolution(self, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value and not all(16 <= side <= MAX_SIDE for side in value):
            raise serializers.ValidationError(f"each side must be 16 to {MAX_SIDE} pixels")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        subject = next(
            (attrs[name] for name in ("prompt", "character_description", "scene_description") if attrs.get(name)), None
        )
        if subject is None:
            raise serializers.ValidationError(
                {"prompt": "is required (or character_description, or scene_description)"}
            )
        extras = (attrs.get(name) or "" for name in ("pose", "lighting", "camera_angle", "style"))
        attrs["prompt"] = ", ".join([subject, *filter(str.strip, extras)])
        attrs["width"], attrs["height"] = self._size(attrs)
        return attrs

    def _size(self, attrs: dict[str, Any]) -> tuple[int, int]:
        width, height = attrs.get("resolution") or self._sides(attrs) or self.default_size
        if self._sides(attrs) not in {None, (width, height)}:
            raise serializers.ValidationError({"resolution": "says something else than width and height"})
        if width * height > MAX_PIXELS:
            raise serializers.ValidationError({"resolution": f"must be at most {MAX_PIXELS} pixels in all"})
        return width, height

    def _sides(self, attrs: dict[str, Any]) -> tuple[int, int] | None:
        width, height = attrs.get("width"), attrs.get("height")
        if width is None and height is None:
            return None
        if width is None or height is None:
            raise serializers.ValidationError({"width" if width is None else "height": "width and height go together"})
        return width, height


class ImageData(PictureData):
    """`image_generation`."""

    task_type = TaskType.IMAGE
    default_size = (1024, 1024)

    num_images = Integer(min_value=1, max_value=8, required=False, allow_null=True)
    init_image = ImageReference(required=False, allow_null=True)
    strength = Number(min_value=0, max_value=1, required=False, allow_null=True)
    format = Choice(["JPEG", "PNG", "WEBP"], any_case=True, required=False, allow_null=True)
    quality = Integer(min_value=1, max_value=100, required=False, allow_null=True)


class VideoData(PictureData):
    """`video_generation`."""

    task_type = TaskType.VIDEO
    default_size = (1024, 576)

    storyboard_images = serializers.ListField(
        child=ImageReference(),
        max_length=32,
        required=False,
        allow_null=True,
        error_messages={"not_a_list": "must be a list", "max_length": "must be at most 32 images"},
    )
    duration = Number(max_value=120, required=False, allow_null=True)
    fps = Integer(min_value=1, max_value=60, required=False, allow_null=True)

    def validate_duration(self, value: float | None) -> float | None:
        if value is not None and value < 0.1:
            raise serializers.ValidationError("must be at least 0.1 seconds")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["width"] % 2 or attrs["height"] % 2:
            raise serializers.ValidationError(
                {"resolution": "must have even sides: H.264 keeps colour in blocks of 2x2 pixels"}
            )
        return attrs


class AudioData(TaskData):
    """`audio_synthesis`: `text` is spoken, or else `prompt` is a sound."""

    task_type = TaskType.AUDIO

    text = Text(required=False, allow_null=True)
    prompt = Text(required=False, allow_null=True)
    voice = Text(max_length=100, required=False, allow_null=True)
    language = Text(max_length=35, required=False, allow_null=True)
    speed = Number(min_value=0.25, max_value=4, required=False, allow_null=True)
    pace = Choice(list(PACES), any_case=True, required=False, allow_null=True)
    duration = Number(min_value=0.1, max_value=300, required=False, allow_null=True)
    sample_rate = Integer(min_value=8000, max_value=48000, required=False, allow_null=True)
    format = Choice(["MP3", "WAV"], any_case=True, required=False, allow_null=True)

    def validate_model(self, value: str | None) -> str | None:
        return value if value == settings.SPEECH_MODEL else super().validate_model(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("text") and not attrs.get("prompt"):
            raise serializers.ValidationError({"text": "is required for speech (or prompt for a sound)"})
        if attrs.get("text"):
            return self._speech(attrs)
        if not attrs.get("model") and not settings.MODELS[self.task_type]:
            raise serializers.ValidationError(
                {"prompt": "no sound model is set up here (AUDIO_MODEL); send text for speech"}
            )
        if attrs.get("model") == settings.SPEECH_MODEL:
            raise serializers.ValidationError(
                {"model": f"{settings.SPEECH_MODEL} speaks text, it makes no sounds from a prompt"}
            )
        return attrs

    def _speech(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("model") not in {None, settings.SPEECH_MODEL}:
            raise serializers.ValidationError({"model": f"text is spoken by {settings.SPEECH_MODEL}"})
        attrs["speed"] = attrs.get("speed") or PACES[attrs.get("pace") or "normal"]
        return attrs


SERIALIZERS: dict[str, type[TaskData]] = {kind.task_type: kind for kind in (ImageData, VideoData, AudioData)}


def check(task_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The known keys of `data`, right and complete: sizes in pixels, all words worked into `prompt`, nulls left out.

    Raises:
        serializers.ValidationError: by field.
    """
    serializer = SERIALIZERS[task_type](data=data)
    serializer.is_valid(raise_exception=True)
    return {name: value for name, value in serializer.validated_data.items() if value is not None}
