"""The engines of this process: one per capability, by the dotted paths of the setting `ENGINES`."""

import functools

from django.conf import settings
from django.utils.module_loading import import_string

from workers_app.engines.base import Engine
from workers_app.engines.cache import ModelCache


@functools.cache
def warm() -> ModelCache:
    """The models that this process keeps loaded."""
    return ModelCache(settings.MODEL_MEMORY_BUDGET, models_folder=settings.MODELS_FOLDER)


@functools.cache
def engine(kind: str) -> Engine:
    """The engine for `image`, `video`, `speech` or `sound`; made once, it loads its libraries at its first use."""
    made: Engine = import_string(settings.ENGINES[kind])(warm())
    return made
