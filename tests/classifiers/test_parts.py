import pytest

from classifiers.parts import fold_groups, part_groups


def test_groups_never_straddle_a_split():
    groups = [f"g{number // 7}" for number in range(700)]
    part = part_groups(groups, (0.1, 0.3), seed=1)
    owners = [{g for g, p in zip(groups, part, strict=True) if p == number} for number in range(3)]
    assert owners[0].isdisjoint(owners[1] | owners[2])
    assert owners[1].isdisjoint(owners[2])
    assert (part == 1).mean() == pytest.approx(0.1, abs=0.01)
    assert (part == 2).mean() == pytest.approx(0.3, abs=0.01)
    assert (part == part_groups(groups, (0.1, 0.3), seed=1)).all()
    assert (part != part_groups(groups, (0.1, 0.3), seed=2)).any()


@pytest.mark.parametrize(("groups", "parts"), [(["a"], {0}), (["a", "b"], {0, 1}), (["a", "b", "c"], {0, 1, 2})])
def test_few_groups_leave_something_to_fit(groups, parts):
    assert set(part_groups(groups, (0.12, 0.12), seed=0).tolist()) == parts


def test_folds_are_about_equal_and_keep_groups_whole():
    groups = [f"g{number // 5}" for number in range(200)]
    folds = fold_groups(groups, 4, seed=3)
    assert [folds.count(fold) for fold in range(4)] == pytest.approx([50] * 4, abs=5)
    assert len({(group, fold) for group, fold in zip(groups, folds, strict=True)}) == 40
    assert set(fold_groups(["a", "b"], 4, seed=0)) == {0, 1}
