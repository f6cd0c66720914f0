"""Nearest examples by meaning, found with faiss (Johnson et al. 2017): exact inner products of unit vectors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from classifiers.data import load_examples
from classifiers.encoder import Floats
from classifiers.general import load_general
from classifiers.windows import windows
from guard.errors import ArtifactError
from guard.policy import Policy

Rows = npt.NDArray[np.int64]
RETAINED, GENERAL = -1, -2


@dataclass(frozen=True)
class Neighbours:
    """The examples of a policy's files as vectors; where they stand in the files, never what they say.

    Row i is example number `positions[i]` of the file of topic `labels[i]`, or of the policy's `retain` file where the
    label is `RETAINED`, or of the shipped questions where it is `GENERAL`.
    """

    index: faiss.IndexFlatIP
    labels: Rows
    positions: Rows

    @classmethod
    def of(cls, vectors: Floats, labels: Sequence[int], positions: Sequence[int]) -> Neighbours:
        """Index unit vectors (examples x width)."""
        return cls(_flat(vectors), np.asarray(labels, dtype=np.int64), np.asarray(positions, dtype=np.int64))

    @property
    def vectors(self) -> Floats:
        """The examples (rows x width)."""
        return np.asarray(self.index.reconstruct_n(0, self.index.ntotal), dtype=np.float32)

    def __len__(self) -> int:
        return len(self.labels)

    def search(self, vectors: Floats, k: int, *, among: Rows | None = None) -> tuple[Floats, Rows]:
        """The `k` nearest examples of each vector, or all where there are fewer: cosines and rows, best first.

        With `among` only these rows are looked at.
        """
        most = min(k, len(self) if among is None else len(among))
        parameters: Any = faiss.SearchParameters  # its arguments come with the import, unseen by types
        chosen = None if among is None else parameters(sel=faiss.IDSelectorBatch(among))
        scores, rows = self.index.search(np.ascontiguousarray(vectors, dtype=np.float32), most, params=chosen)
        return scores, rows

    def to_bytes(self) -> bytes:
        """The index in faiss's own format, vectors only."""
        return bytes(faiss.serialize_index(self.index).tobytes())

    @classmethod
    def from_bytes(cls, data: bytes, labels: Rows, positions: Rows, *, width: int) -> Neighbours:
        """Read what `to_bytes` wrote; verify its digest first, since faiss trusts what it reads.

        Raises:
            ArtifactError: it is no index, or not of these examples.
        """
        try:
            index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ArtifactError("the index of examples cannot be read; run `lethe fit` again") from error
        if not isinstance(index, faiss.IndexFlatIP) or (index.ntotal, index.d) != (len(labels), width):
            raise ArtifactError("the index of examples belongs to other examples; run `lethe fit` again")
        if len(positions) != len(labels):
            raise ArtifactError("the index of examples is incomplete; run `lethe fit` again")
        return cls(index, labels, positions)


@dataclass(frozen=True)
class Known:
    """An example that can be a neighbour: its first window, and its place as in `Neighbours`."""

    window: str
    label: int
    position: int


def known_examples(policy: Policy, known: Collection[str]) -> list[Known]:
    """The questions of a policy's files, and the shipped ones, whose first window is `known`.

    A question that is not known (of very many retained ones the fit reads a sample) is left out, and so is a passage.

    Raises:
        ConfigError: a file cannot be used.
    """
    files = [(number, load_examples(topic.examples)) for number, topic in enumerate(policy.topics) if topic.examples]
    if policy.retain:
        files.append((RETAINED, load_examples(policy.retain)))
    files.append((GENERAL, load_general()))
    return [
        Known(window, label, position)
        for label, examples in files
        for position, example in enumerate(examples)
        for window in windows(example.question)[:1]
        if window in known
    ]


def index_examples(examples: Sequence[Known], vectors: Mapping[str, Floats]) -> Neighbours:
    """Index examples, one at least, by the unit vectors of their windows."""
    found = np.stack([vectors[example.window] for example in examples])
    return Neighbours.of(found, [e.label for e in examples], [e.position for e in examples])


def nearest(vectors: Floats, pool: Floats, k: int) -> tuple[Floats, Rows]:
    """For each vector the `k` rows of `pool` with the largest inner product, best first: products and rows."""
    scores, rows = _flat(pool).search(np.ascontiguousarray(vectors, dtype=np.float32), min(k, len(pool)))
    return scores, rows


def nearest_of_all(vectors: Floats, pool: Floats, k: int) -> list[int]:
    """Rows of `pool` that are among the `k` nearest of any of the vectors (unit rows), nearest first."""
    if not len(pool) or not len(vectors):
        return []
    near, rows = nearest(vectors, pool, k)
    best = np.full(len(pool), -np.inf, dtype=np.float32)
    np.maximum.at(best, rows.ravel(), near.ravel())
    found = np.flatnonzero(np.isfinite(best))
    return [int(row) for row in found[np.argsort(-best[found], kind="stable")]]


def _flat(vectors: Floats) -> faiss.IndexFlatIP:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index
