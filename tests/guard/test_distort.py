"""The corruption functions, each against what its name says."""

import numpy as np
import pytest
import torch

from guard.act.distort import distort
from guard.policy import CorruptAction

ROW = torch.tensor([0.5, -3.0, 1.0, 0.1, -0.2, 2.0, 0.0, -0.9])
RMS = 0.5
TOP_3 = {1, 5, 2}


def made(function, row=ROW, seed=0, **fields):
    if function in ("gaussian", "set_noise", "add", "subtract"):
        fields.setdefault("strength", 2.0)
    action = CorruptAction(kind="corrupt", function=function, **fields)
    return distort(row, action, np.random.default_rng(seed), rms=RMS)


def touched(row, out):
    return {place for place in range(len(row)) if row[place] != out[place]}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("add", ROW + 1.0),
        ("subtract", ROW - 1.0),
        ("zero", torch.zeros(8)),
        ("sign_flip", -ROW),
        ("reverse", ROW.flip(0)),
    ],
)
def test_all_dimensions_are_changed_as_told(function, expected):
    assert torch.equal(made(function), expected)


def test_a_shuffle_moves_and_neither_adds_nor_loses():
    out = made("shuffle")
    assert not torch.equal(out, ROW)
    assert torch.equal(out.sort().values, ROW.sort().values)
    assert not torch.equal(out, made("shuffle", seed=1))


@pytest.mark.parametrize("function", ["gaussian", "set_noise"])
def test_noise_has_the_size_that_the_strength_says(function):
    row = torch.linspace(-3, 3, 20_000)
    change = made(function, row) - (row if function == "gaussian" else 0)
    assert float(change.square().mean().sqrt()) == pytest.approx(2.0 * RMS, rel=0.03)
    assert abs(float(change.mean())) < 0.05


@pytest.mark.parametrize("function", ["gaussian", "set_noise", "add", "subtract", "zero", "sign_flip"])
def test_first_and_top_name_the_very_dimensions(function):
    assert touched(ROW, made(function, dimensions=3)) == {0, 1, 2}
    assert touched(ROW, made(function, dimensions=3, pick="top")) == TOP_3


def test_random_dimensions_depend_on_the_key_alone():
    row = torch.arange(1.0, 65.0)
    first, again, other = (made("zero", row, seed, dimensions=8, pick="random") for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert len(touched(row, first)) == len(touched(row, other)) == 8
    assert touched(row, first) != touched(row, other)


def test_more_dimensions_than_there_are_means_all():
    assert torch.equal(made("sign_flip", dimensions=100), -ROW)


def test_the_row_keeps_its_dtype_and_the_caller_keeps_the_row():
    row = ROW.to(torch.bfloat16)
    before = row.clone()
    assert made("gaussian", row).dtype == torch.bfloat16
    assert torch.equal(row, before)
