import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guard.errors import ConfigError
from guard.paths import state_dir
from guard.secret import digest, load_secret


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path / "state"))


def test_state_dir_is_private_and_follows_the_environment(tmp_path, monkeypatch):
    assert state_dir() == tmp_path / "state"
    assert stat.S_IMODE(state_dir().stat().st_mode) == 0o700
    monkeypatch.delenv("LETHE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_dir() == tmp_path / "xdg" / "lethe"


def test_state_dir_that_cannot_be_made_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LETHE_STATE", str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigError, match="LETHE_STATE"):
        state_dir()


def test_secret_is_drawn_once_and_private():
    first = load_secret()
    assert len(first) == 32
    assert load_secret() == first
    assert stat.S_IMODE((state_dir() / "secret").stat().st_mode) == 0o600
    assert [path.name for path in state_dir().iterdir()] == ["secret"]


def test_secret_is_one_for_all_who_start_at_once():
    with ThreadPoolExecutor(8) as pool:
        assert len({future.result() for future in [pool.submit(load_secret) for _ in range(32)]}) == 1


def test_secret_open_to_others_or_cut_is_refused():
    load_secret()
    path: Path = state_dir() / "secret"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_secret()
    path.chmod(0o600)
    os.truncate(path, 5)
    with pytest.raises(ConfigError, match="5 bytes"):
        load_secret()


def test_digest_keeps_parts_apart():
    assert digest(b"k", b"ab", b"c") != digest(b"k", b"a", b"bc")
    assert digest(b"k", b"ab") != digest(b"q", b"ab")
