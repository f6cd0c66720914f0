"""Imports may only point the way that the architecture allows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "guard": set(),
    "classifiers": {"guard"},
    "serve": {"guard", "classifiers"},
    "eval": {"guard", "classifiers"},
}


def wrong_arrows(root):
    """Every import, wherever in a file it stands, of one of our packages by one that may not."""
    out = []
    for package, allowed in MAY_IMPORT.items():
        forbidden = {*MAY_IMPORT, "tests"} - allowed - {package}
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{package}." if node.level else node.module or ""]
                out += [f"{path.relative_to(root)} imports {n}" for n in names if n.split(".")[0] in forbidden]
    return out


def test_the_trees_imports_point_the_right_way():
    assert all(any((ROOT / package).rglob("*.py")) for package in MAY_IMPORT)
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("guard/a.py", "import classifiers.fit"),
        ("guard/act/b.py", "def f():\n    from serve.app import x"),
        ("classifiers/c.py", "from eval import world"),
        ("serve/d.py", "from eval.world import build"),
        ("eval/e.py", "import json, serve.app"),
        ("serve/f.py", "from tests.serving import x"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path, place, line):
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(f"from guard import types\n{line}\n")
    assert len(wrong_arrows(tmp_path)) == 1
