"""The chain of the audit log: every line carries a keyed hash (MAC) of itself and of the MAC of the line before it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from guard.secret import digest
from serve.replies import dump

# What stands for the MAC of a line before the first one.
START = "0" * 64
_MAC = b',"mac":"%b"}\n'
_TAIL = len(_MAC % START.encode())


class Link(NamedTuple):
    """A line that was verified: its fields, and its MAC in hexadecimal digits."""

    fields: dict[str, Any]
    mac: str


class Chain:
    """Signs and verifies lines under the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = digest(secret, b"audit chain")

    def sign(self, fields: Mapping[str, Any], before: str) -> tuple[bytes, str]:
        """The line that follows the one whose MAC is `before`, and its own MAC."""
        body = dump(fields)
        mac = self._mac(body, before)
        return body[:-1] + _MAC % mac.encode(), mac

    def verify(self, line: bytes, before: str) -> Link | None:
        """Read a line with its line break; None where it does not follow `before`, to the byte."""
        body = line[:-_TAIL] + b"}"
        mac = self._mac(body, before)
        # What the key signed is JSON.
        return Link(json.loads(body), mac) if hmac.compare_digest(line[-_TAIL:], _MAC % mac.encode()) else None

    def _mac(self, body: bytes, before: str) -> str:
        return digest(self._key, b"line", before.encode(), body).hex()
