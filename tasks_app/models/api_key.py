"""A key that an application shows; kept hashed, shown once."""

import hashlib
import secrets
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks_app.models.project import Project


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> Self:
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()), revoked_at__isnull=True)


class ApiKey(models.Model):
    """Who may ask, and for which projects."""

    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=12, editable=False)  # enough to tell keys apart in a list
    is_operator = models.BooleanField(default=False)
    all_projects = models.BooleanField(default=True)
    projects = models.ManyToManyField(Project, blank=True, related_name="api_keys")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_authenticated(self) -> bool:
        """What Django REST framework asks of whoever a request comes from."""
        return True

    @staticmethod
    def digest_of(secret: str) -> str:
        """SHA-256 is enough: a key holds 256 bits of chance, there is no word to guess."""
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(
        cls, name: str, *, is_operator: bool = False, projects: list[Project] | None = None
    ) -> tuple["ApiKey", str]:
        """A new key and its secret, which is kept nowhere; without `projects` it reaches every one."""
        secret = f"aim_{secrets.token_urlsafe(32)}"
        key = cls.objects.create(
            name=name,
            digest=cls.digest_of(secret),
            prefix=secret[:8],
            is_operator=is_operator,
            all_projects=projects is None,
        )
        key.projects.set(projects or [])
        return key, secret
