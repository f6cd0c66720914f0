"""What the sweep tries on the embedded model: hyperparameters for 1.7M parameters, which the papers' do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.unlearn.methods import METHODS

# Away from true answers a small step goes far; towards other ones the model has to be taught.
_AWAY, _TOWARDS = (1e-4, 2e-4, 4e-4), (3e-4, 1e-3)
# Three passes over 780 questions, 32 a step, a third of the first of them to warm up.
_EPOCHS, _WARMUP = 3, 0.3
# The attack is shorter than the paper's: each of its steps costs as much as one of training. It gets no farther than
# 2.3 from where it began (four steps of .05 in 128 dimensions), so that larger radii are all alike.
_ATTACK: tuple[Mapping[str, float], ...] = tuple({"attack_steps": 4, "attack_radius": r} for r in (1.0, 10.0))
_STEER: tuple[Mapping[str, float], ...] = tuple(
    {"layer": layer, "c": c, "alpha": alpha} for layer, c, alpha in ((2, 200, 1), (2, 60, 1), (4, 200, 10))
)


@dataclass(frozen=True)
class Setting:
    """One row of the sweep: a method, its hyperparameters and the recipe's, where they differ from the defaults."""

    method: str
    settings: Mapping[str, float]
    recipe: Mapping[str, float]

    @property
    def name(self) -> str:
        """What it is called in tables, and its folder."""
        told = [f"{key}={value:g}" for key, value in {**self.settings, **self.recipe}.items()]
        return " ".join([self.method, *told])

    @property
    def given(self) -> tuple[str, ...]:
        """The method's hyperparameters as `lethe-eval unlearn --set` takes them."""
        return tuple(f"{key}={value:g}" for key, value in self.settings.items())


def _grid(
    method: str,
    settings: Sequence[Mapping[str, float]] = ({},),
    rates: Sequence[float] = _AWAY,
    recipe: Mapping[str, Any] | None = None,
) -> list[Setting]:
    usual = {"epochs": _EPOCHS, "warmup_epochs": _WARMUP}
    return [Setting(method, s, {"learning_rate": rate, **usual, **(recipe or {})}) for s in settings for rate in rates]


def _each(key: str, *values: float) -> list[Mapping[str, float]]:
    return [{key: value} for value in values]


_GRIDS: tuple[list[Setting], ...] = (
    _grid("ga", rates=(1e-5, 3e-5, 1e-4, 3e-4)),
    _grid("graddiff", _each("retain_weight", 1, 10)),
    _grid("kl", _each("retain_weight", 1, 10)),
    _grid("idk", _each("retain_weight", 1, 5), rates=_TOWARDS),
    _grid("dpo", _each("beta", 0.1, 0.5)),
    _grid("npo", _each("beta", 0.1, 0.5)),
    _grid("simnpo", _each("forget_weight", 0.125, 1)),
    _grid("rmu", _STEER, rates=(3e-3, 1e-2)),
    _grid("llmu"),
    _grid("undial", _each("retain_weight", 0, 1), rates=_TOWARDS),
    _grid("lat-ga", _ATTACK, rates=(4e-4, 8e-4)),
    _grid("lat-rmu", [{**_STEER[-1], **attack} for attack in _ATTACK], rates=(3e-3,)),
    _grid("lat-whp", _ATTACK, rates=_TOWARDS[:1]),
    _grid("whp", _each("alpha", 4, 16), rates=_TOWARDS),
    _grid("ulmr", _each("weight", 0.25, 0.5, 0.75), rates=_TOWARDS),
    _grid("task-arithmetic", _each("alpha", 0.5, 1, 2, 4), rates=(1e-3,)),
    [Setting("lesion", {"share": share}, {}) for share in (0.02, 0.05, 0.1, 0.2, 0.4)],
    # Round four: beyond the edge at which the first three ended, and between values that lie far apart.
    _grid("ga", rates=(6e-5, 1.5e-4)),
    _grid("graddiff", _each("retain_weight", 10), rates=(6e-4, 8e-4)),
    _grid("kl", _each("retain_weight", 10), rates=(6e-4, 8e-4)),
    _grid("idk", _each("retain_weight", 1), rates=(2e-3,)),
    _grid("dpo", _each("beta", 0.1), rates=(8e-4, 1.6e-3)),
    _grid("npo", _each("beta", 0.5), rates=(6e-4, 8e-4)),
    _grid("npo", _each("beta", 1), rates=(4e-4, 8e-4)),
    _grid("simnpo", _each("forget_weight", 1), rates=(6e-4, 8e-4)),
    _grid("rmu", _STEER[-1:], rates=(5e-3,)),
    _grid("llmu", rates=(8e-4, 1.6e-3)),
    _grid("undial", _each("retain_weight", 1), rates=(2e-3,)),
    _grid("undial", _each("retain_weight", 3), rates=(1e-3, 2e-3)),
    _grid("lat-ga", _ATTACK[:1], rates=(2e-4, 3e-4)),
    _grid("lat-rmu", [{**_STEER[-1], **_ATTACK[0]}], rates=(5e-3,)),
    _grid("lat-whp", _ATTACK[:1], rates=(1e-4,)),
    _grid("whp", _each("alpha", 4), rates=(1e-4,)),
    _grid("whp", _each("alpha", 1), rates=(3e-4,)),
    _grid("ulmr", _each("weight", 0.25), rates=(2e-3,)),
    _grid("ulmr", _each("weight", 0.35), rates=(1e-3,)),
    _grid("task-arithmetic", _each("alpha", 0.75, 1.5), rates=(1e-3,)),
    [Setting("lesion", {"share": share}, {}) for share in (0.3, 0.5)],
    # Round five: for those that were best at the edge once more.
    _grid("graddiff", _each("retain_weight", 10), rates=(1.2e-3, 1.6e-3)),
    _grid("kl", _each("retain_weight", 10), rates=(1.2e-3, 1.6e-3)),
    _grid("idk", _each("retain_weight", 1), rates=(4e-3,)),
    _grid("simnpo", _each("forget_weight", 1), rates=(1.2e-3, 1.6e-3)),
    _grid("rmu", _STEER[-1:], rates=(4e-3, 7e-3)),
    _grid("undial", _each("retain_weight", 1), rates=(4e-3,)),
    _grid("lat-rmu", [{**_STEER[-1], **_ATTACK[0]}], rates=(4e-3, 7e-3)),
)
SETTINGS: tuple[Setting, ...] = tuple(setting for grid in _GRIDS for setting in grid)
# Retraining has no hyperparameter of its own to look for: the retrained models are its rows.
assert {setting.method for setting in SETTINGS} == METHODS.keys() - {"retrain"}, "a method without a setting"
