"""What the server tells on standard error: plain text, or a JSON object a line."""

from __future__ import annotations

import io
import logging
import sys
from typing import IO, cast

from pythonjsonlogger.json import JsonFormatter
from rich.console import Console

_FIELDS = "{asctime}{levelname}{name}{message}"
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}
_log = logging.getLogger("lethe")


def console(form: str) -> Console:
    """Where the operator is told things; in the form `json`, all that is logged is written as JSON from now on."""
    if form != "json":
        return Console(stderr=True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(_FIELDS, style="{", rename_fields=_NAMES))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    _log.setLevel(logging.INFO)
    return Console(file=cast(IO[str], _Lines()), force_terminal=False, color_system=None, soft_wrap=True)


class _Lines(io.TextIOBase):
    """A file whose every line is logged."""

    def __init__(self) -> None:
        self._rest = ""

    def write(self, text: str, /) -> int:
        """Log the lines that are complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                _log.info(line.strip())
        return len(text)
