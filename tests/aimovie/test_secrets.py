"""The secret a machine makes for itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aimovie.secrets import local_secret


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret_key"
    secret = local_secret(path)
    assert len(secret) > 40
    assert local_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_many_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: local_secret(tmp_path / "secret_key"), range(32)))
    assert len(secrets) == 1
