"""Every setting, read once from the environment; `.env.example` lists them with their defaults."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from aimovie.secrets import local_secret

BASE_DIR = Path(__file__).resolve().parent.parent


class Env(environ.Env):  # type: ignore[misc]
    """The environment; a value of the wrong kind is refused by its name."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}") from error


env = Env()
Env.read_env(BASE_DIR / ".env")

# Where the embedded stack keeps everything: database, Redis, files, models, logs. Nothing is written outside it.
AIMOVIE_HOME = Path(env.str("AIMOVIE_HOME", default=str(BASE_DIR / "var"))).expanduser().resolve()

# --- The web -------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or local_secret(AIMOVIE_HOME / "secret_key")
HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8001)
# How the world reaches us: the start of every `media_url` that no bucket domain serves.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS = [
    *env.list("ALLOWED_HOSTS", default=[]),
    "127.0.0.1",
    "localhost",
    "[::1]",
    urlsplit(PUBLIC_URL).hostname,
]
BEHIND_TLS = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if BEHIND_TLS else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS

ROOT_URLCONF = "aimovie.site.urls"
WSGI_APPLICATION = "aimovie.site.wsgi.application"
APPEND_SLASH = False
LOGIN_URL = "admin:login"

INSTALLED_APPS = [
    "aimovie.site.apps.SiteConfig",
    "django_celery_results",  # before workers_app, which shows its records read-only
    "workers_app",
    "media_app",
    "tasks_app",
    "rest_framework",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "aimovie.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "aimovie.api.middleware.OptionalSlashMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # straight from the packages: nothing to collect
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tasks_app.access.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["aimovie.api.parsing.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["aimovie.api.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "aimovie.api.parsing.AlwaysJSON",
    "URL_FORMAT_OVERRIDE": None,  # `format` is a filter of ours
    "EXCEPTION_HANDLER": "aimovie.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "iso-8601",
}
# A request's body, in bytes; a storyboard may come as data: URLs.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=16 * 2**20)

# --- The database: the truth ---------------------------------------------------------------------------------------

DATABASES = {
    "default": env.db_url_config(env.str("DATABASE_URL", default="") or f"sqlite:///{AIMOVIE_HOME}/db.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Writers queue up at BEGIN instead of failing in mid-transaction; readers never wait.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
    # A process that freezes in mid-transaction must not hold its rows against those who take its task over.
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options.setdefault("options", "-c idle_in_transaction_session_timeout=30s")
    # A server that the network has swallowed is away after half a minute, not after TCP's quarter of an hour.
    for option, limit in {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 30_000}.items():
        options.setdefault(option, limit)

# --- Redis and Celery: copies and hints ----------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="") or f"unix://{AIMOVIE_HOME}/redis.sock"
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "celery:queue:",  # Celery's list of queue q is celery:queue:q, as the data model has it
    "socket_timeout": 2,  # a web process gives up soon; workers_app.process makes it 10 for a worker
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5
CELERY_RESULT_BACKEND = None  # bells keep no record; the record of an attempt is written by workers_app.runner
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TRACK_STARTED = False
CELERY_TASK_DEFAULT_QUEUE = "cpu_intensive"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = "UTC"

# --- Workers -------------------------------------------------------------------------------------------------------

HEARTBEAT_SECONDS = env.float("HEARTBEAT_SECONDS", default=5)
LEASE = timedelta(seconds=env.float("LEASE_SECONDS", default=60))
OFFLINE_AFTER = timedelta(seconds=20)
WORKER_ROWS_DAYS = max(1, env.int("WORKER_ROWS_DAYS", default=7))
# An idle worker looks at the line by itself this often, so that a lost bell costs seconds.
LOOK_SECONDS = env.float("LOOK_SECONDS", default=3)
WORKERS = {  # how many `manage.py up` starts
    "gpu_heavy": env.int("WORKERS_GPU_HEAVY", default=1),
    "gpu_medium": env.int("WORKERS_GPU_MEDIUM", default=1),
    "cpu_intensive": env.int("WORKERS_CPU_INTENSIVE", default=1),
}
CUDA_VISIBLE_DEVICES = env.list("CUDA_VISIBLE_DEVICES", default=[])  # CUDA's own: which GPUs a worker may use
MAX_TRIES = env.int("MAX_TRIES", default=3)
TIME_LIMITS = {  # seconds from claim to artifact, by type
    "video_generation": env.float("VIDEO_TIME_LIMIT", default=300 * 60),
    "image_generation": env.float("IMAGE_TIME_LIMIT", default=30 * 60),
    "audio_synthesis": env.float("AUDIO_TIME_LIMIT", default=30 * 60),
}
STORE_PATIENCE = timedelta(seconds=env.float("STORE_PATIENCE", default=24 * 3600))

# --- Models --------------------------------------------------------------------------------------------------------

# The engines' libraries keep what they fetch below our home, and report nothing to their makers.
for name, value in {
    "HF_HOME": str(AIMOVIE_HOME / "huggingface"),
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}.items():
    os.environ.setdefault(name, value)

MODELS_FOLDER = AIMOVIE_HOME / "models"  # of the stand-ins, which the service builds itself
WORK_FOLDER = AIMOVIE_HOME / "work"  # a folder per running attempt
# The first of each list is the default; task_data may name any other of its list.
MODELS = {
    "image_generation": [env.str("IMAGE_MODEL", default="stand-in-image"), *env.list("IMAGE_MODELS", default=[])],
    "video_generation": [env.str("VIDEO_MODEL", default="stand-in-video"), *env.list("VIDEO_MODELS", default=[])],
    "audio_synthesis": [*env.list("AUDIO_MODEL", default=[]), *env.list("AUDIO_MODELS", default=[])],
}
SPEECH_MODEL = "hibari-tts"
ENGINES = {
    "image": "workers_app.engines.diffusers_image.ImageEngine",
    "video": "workers_app.engines.diffusers_video.VideoEngine",
    "sound": "workers_app.engines.diffusers_audio.SoundEngine",
    "speech": "workers_app.engines.speech.SpeechEngine",
    **env.dict("ENGINES", default={}),
}
# Bytes of warm models that a worker may hold; 0: what the device allows.
MODEL_MEMORY_BUDGET = env.int("MODEL_MEMORY_BUDGET", default=0) or None
# Inputs may come from these private hosts ("host" or "host:port"), for development.
ALLOWED_PRIVATE_HOSTS = frozenset(env.list("ALLOWED_PRIVATE_HOSTS", default=[]))

# --- Files: a folder, or Cloudflare R2 when its settings are there ---------------------------------------------------

MEDIA_ROOT = AIMOVIE_HOME / "media"
R2_BUCKET = env.str("R2_BUCKET", default="")
R2_PUBLIC_URL = env.str("R2_PUBLIC_URL", default="").rstrip("/")  # the bucket's custom domain
STORAGES = {
    "default": {"BACKEND": "media_app.storage.FolderStorage", "OPTIONS": {"location": MEDIA_ROOT}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if R2_BUCKET:
    STORAGES["default"] = {
        "BACKEND": "media_app.bucket.BucketStorage",
        "OPTIONS": {
            "bucket_name": R2_BUCKET,
            "endpoint_url": env.str("R2_ENDPOINT_URL"),
            "access_key": env.str("R2_ACCESS_KEY_ID"),
            "secret_key": env.str("R2_SECRET_ACCESS_KEY"),
        },
    }

# --- Logs ----------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {name: {"level": "WARNING"} for name in ("django.server", "httpx2", "httpcore2", "botocore")},
}
