"""Where results came from, and detectors that fail."""

import subprocess

import pytest

from eval.detection import detect_all
from eval.provenance import Revision, provenance, revision
from guard.errors import DetectorError
from guard.types import Detection


def git(directory, *arguments):
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def source(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "eval").mkdir()
    file = tmp_path / "eval" / "provenance.py"
    file.write_text("a = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first", "--no-verify")
    return file


def test_a_clean_checkout_is_its_commit_and_changes_make_it_dirty(source):
    clean = revision(source)
    assert len(clean.commit) == 40
    assert (clean.dirty, clean.changes) == (False, None)
    source.write_text("a = 2\n")
    changed = revision(source)
    assert (changed.commit, changed.dirty) == (clean.commit, True)
    source.write_text("a = 3\n")
    assert revision(source).changes != changed.changes


def test_code_that_is_not_tracked_has_no_revision(source, tmp_path):
    installed = source.parent / "installed.py"
    installed.write_text("")
    assert revision(installed) == Revision(None, None, None)
    assert revision(tmp_path / ".." / "nowhere.py") == Revision(None, None, None)


def test_provenance_names_packages_and_command():
    found = provenance()
    assert {"at", "command", "python", "platform", "packages"} <= set(found)
    assert "rouge-score" in found["packages"]


class Shaky:
    """A detector that flags one person, fails on another and clears the rest."""

    def detect(self, conversation):
        text = conversation.messages[-1].text
        if "Bo" in text:
            raise DetectorError("no time left")
        return (Detection("a", 0.9),) if "Ada" in text else ()


def test_a_failing_detector_is_unscored_and_not_clean():
    done = []
    flags = detect_all(Shaky(), ["Who is Ada?", "Who is Bo?", "Who is Cy?"], lambda: done.append(1))
    assert [flag.flagged for flag in flags.values()] == [True, None, False]
    assert flags["Who is Bo?"].reason == "detector failed: no time left"
    assert len(done) == 3
