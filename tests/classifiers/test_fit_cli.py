import json
import shutil

import pytest
import typer
from typer.testing import CliRunner

from serve.fit_cli import check, fit
from tests.classifiers.conftest import SECRET

APP = typer.Typer()
APP.command()(fit)
APP.command()(check)


@pytest.fixture
def policy_file(fitted, state, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    (tmp_path / "encoders").symlink_to(state / "encoders")
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "secret").chmod(0o600)
    return fitted.report.out.parent / "policy.yaml"


def test_check_answers_in_order_with_the_policys_own_artifact(fitted, policy_file, tmp_path):
    from classifiers.fit import default_folder

    shutil.copytree(fitted.report.out, default_folder(fitted.policy, secret=SECRET))
    turns = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Who taught Oren Halsk?"}]
    lines = [
        "What is the capital of France?",
        "",
        json.dumps({"text": "Mira Tolvane?"}),
        json.dumps({"messages": turns}),
    ]
    (tmp_path / "in.txt").write_text("\n".join(lines), encoding="utf-8")
    result = CliRunner().invoke(APP, ["check", "--policy", str(policy_file), str(tmp_path / "in.txt")])
    assert result.exit_code == 0, result.output
    clean, mira, oren = map(json.loads, result.stdout.splitlines())
    assert (clean["flagged"], clean["topics"]) == (False, [])
    assert mira["topics"][0]["topic"] == "mira"
    assert mira["topics"][0]["spans"] == [{"message": 0, "start": 0, "end": 12}]
    assert [topic["topic"] for topic in oren["topics"]] == ["oren"]
    assert all(answer["milliseconds"] > 0 for answer in (clean, mira, oren))


@pytest.mark.parametrize("line", ['{"x": 1}', '{"text": 3}', "{broken", '{"messages": [{"role": "user"}]}'])
def test_check_tells_a_bad_line_in_one_line(fitted, policy_file, line):
    arguments = ["check", "--policy", str(policy_file), "--artifact", str(fitted.report.out), "-"]
    result = CliRunner().invoke(APP, arguments, input=f"hello\n{line}\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("lethe: -:2: ")
    assert len(result.stderr.splitlines()) == 1


def test_fit_tells_a_missing_policy_in_one_line(policy_file, tmp_path):
    result = CliRunner().invoke(APP, ["fit", "--policy", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "--policy" in result.stderr
    assert len(result.stderr.splitlines()) == 1
