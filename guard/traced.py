"""Text that knows which characters of an original it was made from."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int32]
Edit = tuple[int, int, str]


@dataclass(frozen=True, eq=False)
class Traced:
    """Character i of `text` came from characters [starts[i], ends[i]) of the original; both arrays never fall."""

    text: str
    starts: Places
    ends: Places

    @classmethod
    def of(cls, text: str) -> Traced:
        """The original itself."""
        places = np.arange(len(text) + 1, dtype=np.int32)
        return cls(text, places[:-1], places[1:])

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Map the non-empty [start, end) of `text` to the original characters that made it."""
        return int(self.starts[start]), int(self.ends[end - 1])

    def respelt(self, text: str) -> Traced:
        """Another text of the same length, character for character."""
        if len(text) != len(self.text):
            raise ValueError("the text has another length; use edited()")
        return self if text == self.text else Traced(text, self.starts, self.ends)

    def edited(self, edits: Sequence[Edit]) -> Traced:
        """With every [start, end) replaced; edits are in order, apart, and none is empty.

        A replacement of the same length is traced character for character, any other to the whole stretch.
        """
        if not edits:
            return self
        pieces: list[str] = []
        # Flat arrays of indices: thousands of small numpy slices would cost far more than their characters.
        first, last = array("i"), array("i")
        done = 0
        for start, end, new in edits:
            pieces += (self.text[done:start], new)
            stays = end if len(new) == end - start else start
            first.extend(range(done, stays))
            last.extend(range(done, stays))
            if stays == start:
                first.extend([start] * len(new))
                last.extend([end - 1] * len(new))
            done = end
        pieces.append(self.text[done:])
        first.extend(range(done, len(self.text)))
        last.extend(range(done, len(self.text)))
        return Traced("".join(pieces), self.starts[np.asarray(first)], self.ends[np.asarray(last)])
