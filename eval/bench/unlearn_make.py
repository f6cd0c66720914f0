"""Makes the benches' checkpoints by `eval.unlearn`, and measures them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.bench.unlearn_data import Data
from eval.bench.unlearn_measure import measure
from eval.bench.unlearn_rows import Row
from eval.bench.unlearn_settings import Setting
from eval.tasks.questions import Item
from eval.unlearn.methods import METHODS
from eval.unlearn.run import Options, unlearn
from guard.errors import LetheError


def make(setting: Setting, model: str, data: Data, out: Path, share: float = 1.0) -> str | None:
    """Make the checkpoint of a setting at `out`, or go on with it; `share` is that of the forget set used.

    Returns:
        Why there is none, or None where there is one.
    """
    options = Options(
        method=setting.method,
        model=model,
        forget=data.forget,
        retain=data.retain,
        out=out,
        settings=setting.given,
        recipe=setting.recipe,
        share=share,
        anchors=data.anchors if METHODS[setting.method].takes_anchors else None,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        unlearn(options, lambda stage, done, of: None)
    except LetheError as error:
        return str(error)
    return None


def measured(
    setting: Setting,
    model: str,
    data: Data,
    splits: Mapping[str, Sequence[Item]],
    out: Path,
    *,
    keep: bool,
    share: float = 1.0,
) -> Row:
    """Make the checkpoint of a setting under `out`, with `share` of the forget set, and measure it."""
    checkpoint = out / "checkpoints" / setting.name.replace(" ", ",")
    reason = None if checkpoint.is_dir() else make(setting, model, data, checkpoint, share)
    if reason is not None:
        return Row(setting.name, setting.method, None, reason, None)
    found = Row(setting.name, setting.method, measure(str(checkpoint), splits), None, cost(checkpoint))
    if not keep:
        shutil.rmtree(checkpoint)
    return found


def cost(checkpoint: Path) -> dict[str, Any]:
    """What its `unlearn.json` says of seconds, FLOPs and peak memory."""
    found: dict[str, Any] = json.loads((checkpoint / "unlearn.json").read_text(encoding="utf-8"))["cost"]
    return found
