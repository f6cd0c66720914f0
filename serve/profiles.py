"""Profiles: policies beside the server's own, each for the keys that name it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import ConfigError, RequestError
from serve.caller import caller_of
from serve.dialects.errors import refuse
from serve.keys.store import Key

_NAME = re.compile(r"\w[\w.-]*")
_ABSENT = RequestError(403, "this server has no policy for this key", code="profile_not_served")
_log = logging.getLogger(__name__)


def read_profiles(given: Sequence[str]) -> dict[str, Path]:
    """The policy files of NAME=FILE pairs.

    Raises:
        ConfigError: one is not of this form, there is no such file, or two have one name.
    """
    read: dict[str, Path] = {}
    for pair in given:
        name, separator, where = pair.partition("=")
        if not separator or not _NAME.fullmatch(name) or not where:
            raise ConfigError(f"--profile takes NAME=FILE, with a name of letters, digits and . _ -, not {pair!r}")
        if name in read:
            raise ConfigError(f"two profiles are called {name!r}; give one of them another name")
        read[name] = Path(where).expanduser()
        if not read[name].is_file():
            raise ConfigError(f"there is no policy file {where}, which the profile {name!r} names")
    return read


def tell_absent(keys: Iterable[Key], profiles: Mapping[str, ASGIApp]) -> None:
    """Log which valid keys will be refused, since they name none of `profiles`."""
    for key in keys:
        profile = key.grant.profile
        if key.revoked is None and profile is not None and profile not in profiles:
            _log.warning("%s is refused: there is no --profile %s", key.id, profile)


class Profiled:
    """`app`, and in its place the one of `profiles` which a caller's key names.

    A key whose profile is not there is never served under another, maybe weaker, policy.
    """

    def __init__(self, app: ASGIApp, profiles: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._profiles = profiles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller = caller_of(scope)
        profile = caller.grant.profile if caller else None
        app = self._app if profile is None else self._profiles.get(profile)
        if app is not None:
            await app(scope, receive, send)
            return
        _log.error("a request was not served: there is no --profile %s", profile)
        await refuse(scope, send, _ABSENT)
