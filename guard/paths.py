"""Where Lethe keeps what outlives a run."""

from __future__ import annotations

import os
from pathlib import Path

from guard.errors import ConfigError


def state_place() -> Path:
    """Where Lethe's state folder lies, or would: `$LETHE_STATE`, else `$XDG_STATE_HOME/lethe`, else
    `~/.local/state/lethe`.
    """
    if own := os.environ.get("LETHE_STATE"):
        path = Path(own).expanduser()
    elif xdg := os.environ.get("XDG_STATE_HOME"):
        path = Path(xdg).expanduser() / "lethe"
    else:
        path = Path.home() / ".local" / "state" / "lethe"
    return path.absolute()


def state_dir() -> Path:
    """Return Lethe's state folder, created for this user alone (mode 0700).

    Raises:
        ConfigError: the folder cannot be created.
    """
    path = state_place()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot create the state folder {path} ({error}); set LETHE_STATE to a folder that can be made and written"
        ) from error
    return path
