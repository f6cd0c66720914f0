"""The readings of one text: as it stands, and as someone might read it who sees through its disguise.

All are scored and the worst counts: undoing leet would ruin years, and what looks encoded may be a name.
"""

from __future__ import annotations

from guard.decode import decoded
from guard.lookalikes import undo_lookalikes
from guard.normalise import folded, visible
from guard.spelling import undo_leet, undo_spacing, undo_symbols
from guard.traced import Traced


def views(text: str) -> tuple[Traced, ...]:
    """The normalised readings of `text`, each once, none empty, the plain one first; at most eight, mostly one.

    Lines stay apart in them, as sentences do.
    """
    whole = Traced.of(text)
    bases = [visible(whole)]
    if (undone := decoded(whole)).text != bases[0].text:
        bases.append(undone)
    found: dict[str, Traced] = {}
    for base in bases:
        spelt = undo_lookalikes(undo_symbols(undo_spacing(base)))
        for form in (base, spelt, *undo_leet(spelt)):
            if form is base or form.text != base.text:
                view = folded(form, lines=True)
                found.setdefault(view.text, view)
    found.pop("", None)
    return tuple(found.values())
