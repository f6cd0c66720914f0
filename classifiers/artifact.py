"""A fitted classifier as a folder: a keyed manifest and plain arrays. Nothing in it is executed when read."""

from __future__ import annotations

import hmac
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from classifiers.calibrate import Calibration
from classifiers.data import fingerprint
from classifiers.encoder import Floats, Form
from classifiers.features import Spelling
from classifiers.head import Head
from classifiers.index import Neighbours
from classifiers.nearness import Nearness
from guard.errors import ArtifactError, ConfigError
from guard.policy import Policy
from guard.secret import digest

if TYPE_CHECKING:
    from classifiers.tuned import Tuned

SCHEMA = 5
_MANIFEST, _SEAL, _ARRAYS, _INDEX = "manifest.json", "manifest.hmac", "arrays.npz", "examples.faiss"
_TUNED = "classifier"
_AGAIN = "run `lethe fit` again"


@dataclass(frozen=True)
class Artifact:
    """What detection needs.

    `form` is how the encoder was run when this was fitted, and `probe` its vector of `classifiers.detector.PROBE`.
    `words` are the neighbours' (rows x buckets, see `classifiers.features.unit_words`). Where there is a `tuned`
    classifier it scores in place of the head and of what is near.
    """

    topics: tuple[str, ...]
    encoder: str
    form: Form
    probe: Floats
    spelling: Spelling
    head: Head
    neighbours: Neighbours
    words: sp.csr_matrix
    calibration: Calibration
    figures: dict[str, float | int]
    tuned: Tuned | None = None

    @cached_property
    def nearness(self) -> Nearness:
        """What the nearest examples add to the head's log-odds."""
        return Nearness(self.neighbours.vectors, self.words, self.neighbours.labels, len(self.topics))


def policy_digest(policy: Policy, *, secret: bytes, encoder: str) -> str:
    """A keyed digest of all that a fit depends on: topics, aliases, example files, target rate, encoder, schema.

    Actions are left out: changing what happens to a flagged prompt needs no new fit.
    """
    parts = [str(SCHEMA).encode(), encoder.encode(), repr(policy.false_flag_rate).encode()]
    parts.append(_content(policy.retain) if policy.retain else b"")
    for topic in policy.topics:
        names = json.dumps([topic.name, topic.description, *topic.aliases]).encode()
        parts += [names, _content(topic.examples) if topic.examples else b""]
    return digest(secret, b"policy", *parts).hex()


def check_out(out: Path) -> None:
    """Look, before a fit takes its time, whether an artifact can be written at `out`; makes the folders above it.

    Raises:
        ArtifactError: it cannot, or `out` holds something else.
    """
    try:
        if out.exists() and not (out / _MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise ArtifactError(f"{out} exists and is no artifact; name another folder with --out")
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent).cleanup()
    except OSError as error:
        raise ArtifactError(
            f"cannot write the artifact {out} ({error.strerror}); name another folder with --out"
        ) from error


def save_artifact(artifact: Artifact, out: Path, *, policy_key: str, secret: bytes) -> None:
    """Write the folder under a temporary name, then rename; an artifact that stands at `out` is replaced.

    Raises:
        ArtifactError: `out` cannot be written, or holds something else.
    """
    files = {_ARRAYS: _pack(artifact), _INDEX: artifact.neighbours.to_bytes()}
    if artifact.tuned is not None:
        files |= {f"{_TUNED}/{name}": data for name, data in artifact.tuned.files().items()}
    manifest = {
        "schema": SCHEMA,
        "policy": policy_key,
        "encoder": {"name": artifact.encoder, "form": artifact.form},
        "topics": list(artifact.topics),
        "calibration": asdict(artifact.calibration),
        "figures": artifact.figures,
        "files": {name: digest(secret, b"file", name.encode(), data).hex() for name, data in files.items()},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
    contents = {**files, _MANIFEST: text, _SEAL: digest(secret, b"manifest", text).hex().encode()}
    try:
        _replace(out, contents)
    except OSError as error:
        raise ArtifactError(f"cannot write the artifact {out}: {error}") from error


def load_artifact(folder: Path, *, policy: Policy | None, secret: bytes) -> Artifact:
    """Read and verify an artifact; where a `policy` is given it must have been fitted for just that.

    Raises:
        ArtifactError: anything is missing, changed, of another schema, or fitted for another policy.
    """
    manifest = _manifest(folder, secret)
    if policy and manifest["policy"] != policy_digest(policy, secret=secret, encoder=manifest["encoder"]["name"]):
        raise ArtifactError(f"the artifact {folder} was fitted for another policy or other example files; {_AGAIN}")
    files = {name: _read(folder / name) for name in manifest["files"]}
    for name, expected in manifest["files"].items():
        if not hmac.compare_digest(digest(secret, b"file", name.encode(), files[name]).hex(), expected):
            raise _damaged(folder / name, files[name])
    try:
        return replace(_unpack(manifest, files, secret), tuned=_load_tuned(folder, list(files)))
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"the artifact {folder} cannot be read ({error}); {_AGAIN}") from error


def _pack(artifact: Artifact) -> bytes:
    head, neighbours, packed = artifact.head, artifact.neighbours, io.BytesIO()
    np.savez_compressed(
        packed,
        probe=artifact.probe,
        idf=artifact.spelling.idf,
        dense=head.dense,
        bias=head.bias,
        **_pack_sparse("sparse", head.sparse),
        **_pack_sparse("words", artifact.words),
        example_labels=neighbours.labels,
        example_positions=neighbours.positions,
    )
    return packed.getvalue()


def _unpack(manifest: dict[str, Any], files: dict[str, bytes], secret: bytes) -> Artifact:
    with np.load(io.BytesIO(files[_ARRAYS]), allow_pickle=False) as arrays:
        topics, probe, idf = tuple(manifest["topics"]), arrays["probe"], arrays["idf"]
        sparse = _unpack_sparse("sparse", arrays, (len(idf), len(arrays["bias"])))
        labels = arrays["example_labels"]
        return Artifact(
            topics=topics,
            encoder=manifest["encoder"]["name"],
            form=manifest["encoder"]["form"],
            probe=probe,
            spelling=Spelling(idf, secret=secret),
            head=Head(arrays["dense"], sparse, arrays["bias"]),
            neighbours=Neighbours.from_bytes(files[_INDEX], labels, arrays["example_positions"], width=len(probe)),
            words=_unpack_sparse("words", arrays, (len(labels), len(idf) // 2)),
            calibration=Calibration(**manifest["calibration"]),
            figures=manifest["figures"],
        )


def _pack_sparse(name: str, matrix: sp.csr_matrix) -> dict[str, Any]:
    return {name: matrix.data, f"{name}_indices": matrix.indices, f"{name}_indptr": matrix.indptr}


def _unpack_sparse(name: str, arrays: Mapping[str, np.ndarray], shape: tuple[int, int]) -> sp.csr_matrix:
    return sp.csr_matrix((arrays[name], arrays[f"{name}_indices"], arrays[f"{name}_indptr"]), shape=shape)


def _load_tuned(folder: Path, files: Sequence[str]) -> Tuned | None:
    if not any(name.startswith(f"{_TUNED}/") for name in files):
        return None
    # Imported when needed: torch takes seconds, which the head does without.
    from classifiers.tuned import Tuned

    return Tuned.load(folder / _TUNED)


def fitted_for(folder: Path, *, secret: bytes) -> str:
    """The digest of the policy that an artifact was fitted for.

    Raises:
        ArtifactError: the manifest is missing or was changed.
    """
    return str(_manifest(folder, secret)["policy"])


def encoder_of(folder: Path, *, secret: bytes) -> str:
    """The encoder that an artifact was fitted with, for another one of its kind.

    Raises:
        ArtifactError: the manifest is missing or was changed, or the encoder itself was tuned for this artifact.
    """
    manifest = _manifest(folder, secret)
    if any(name.startswith(f"{_TUNED}/") for name in manifest["files"]):
        raise ArtifactError(f"the artifact {folder} was made with `lethe fit --tune`, which is not repeated by itself")
    return str(manifest["encoder"]["name"])


def seal(folder: Path) -> bytes:
    """What stands for all of an artifact: another fit has another one.

    Raises:
        ArtifactError: it is missing.
    """
    return _read(folder / _SEAL)


def _manifest(folder: Path, secret: bytes) -> dict[str, Any]:
    if not folder.exists():
        raise ArtifactError(f"there is no artifact folder {folder}; make it with `lethe fit ... --out {folder}`")
    text, seal = _read(folder / _MANIFEST), _read(folder / _SEAL)
    if not hmac.compare_digest(digest(secret, b"manifest", text).hex().encode(), seal):
        raise _damaged(folder / _MANIFEST, text) if seal else _damaged(folder / _SEAL, seal)
    manifest: dict[str, Any] = json.loads(text)
    if manifest.get("schema") != SCHEMA:
        raise ArtifactError(f"the artifact {folder} has schema {manifest.get('schema')}, not {SCHEMA}; {_AGAIN}")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"cannot read {path} ({error.strerror}); {_AGAIN}") from error


def _damaged(path: Path, data: bytes) -> ArtifactError:
    """A file that does not match its digest; nothing is ever written empty, so that an empty one was cut off."""
    what = "was changed or made under another secret" if data else "is empty: it was cut off, as by a full disk"
    return ArtifactError(f"{path} {what}; {_AGAIN}")


def _content(path: Path) -> bytes:
    try:
        return fingerprint(path)
    except ConfigError as error:
        raise ArtifactError(f"{error}; {_AGAIN}") from error


def _replace(out: Path, contents: dict[str, bytes]) -> None:
    check_out(out)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    try:
        for name, data in contents.items():
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_bytes(data)
        # A folder cannot be renamed over a filled one; the old one steps aside first.
        if out.exists():
            out.rename(old / "artifact")
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
