"""A secret that this machine makes for itself once, when the environment names none."""

import os
import secrets
from pathlib import Path


def local_secret(path: Path) -> str:
    """The secret kept in `path`; made on first use, readable by its owner alone."""
    if path.exists():
        return path.read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)  # of several processes at once, exactly one wins, and nobody reads half a file
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
