"""A secret that this machine makes for itself once, when the environment names none."""

import os
import secrets
import tempfile
from pathlib import Path


def local_secret(path: Path) -> str:
    """The secret kept in `path`; made on first use, readable by its owner alone."""
    if path.exists():
        return path.read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    fresh = Path(name)
    with open(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)  # of several processes at once, exactly one wins, and nobody reads half a file
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text()
