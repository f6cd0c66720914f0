"""One choice of a chat answer on its way through its watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guard.types import Release, Watch
from serve.dialects.chat_form import Written
from serve.dialects.chat_parts import CONTENT, Part, Woven, joined


class Taken(NamedTuple):
    """What may leave now; nothing more does where the guard `ended` the choice."""

    parts: list[Part]
    ended: bool


class Choice:
    """`open` for the caller while more of it may leave, or `written_out` by the model server.

    It waits for another answer while it has `told` of topics. Where that comes, `written` is what was written then.
    `released` is all that may leave.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._woven = Woven()
        self._came: list[Part] = []
        self._fallback = ""
        self.released: list[Part] = []
        self.told: frozenset[str] = frozenset()
        self.written: Written | None = None
        self.left = 0  # characters of the content that have left in events
        self.ended = False
        self.open = True
        self.written_out = False

    def take(self, parts: Sequence[Part], *, last: bool) -> Taken:
        """The next of what the model wrote, maybe its last."""
        text = self._woven.weave(parts, last=last)
        release = self._watch.feed(text) if text else Release("")
        if last and not release.ended:
            release = release.then(self._watch.finish())
        self._came += parts
        self.left = len(self.text)
        self.ended = release.ended
        self.open = not (last or release.ended)
        if release.again:
            self.told, self._fallback = release.again, release.text
            return Taken([], True)
        made = [Part(CONTENT, release.text)] if release.instead else self._woven.part(release)
        self.released += made
        return Taken(made, release.ended)

    def renew(self, written: Written, watch: Watch) -> None:
        """Another answer has come for this choice."""
        releases = [watch.feed(written.text)]
        if not releases[0].ended:
            releases.append(watch.finish())
        end, text = releases[-1], "".join(release.text for release in releases)
        self.told, self._fallback = end.again, text
        if not end.again:
            self.released = [Part(CONTENT, text)]
            self.written = None if end.ended else written

    def give_up(self) -> None:
        """No other answer comes."""
        self.told = frozenset()
        self.released = [Part(CONTENT, self._fallback)]

    @property
    def text(self) -> str:
        """What was released of the content."""
        return "".join(part.text for part in self.released if part.field == CONTENT)

    @property
    def changed(self) -> bool:
        """Whether the caller reads something else than the model wrote; held-back text counts until it is released."""
        return self.ended or joined(self.released) != joined(self._came)
