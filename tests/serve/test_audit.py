"""The audit log: what a chain of lines shows when it is changed, and what it outlives."""

import json
import multiprocessing
import os
import stat

import pytest
from typer.testing import CliRunner

from guard.errors import AuditError, ConfigError
from guard.secret import load_secret
from serve.audit.log import AuditLog, audit_folder
from serve.audit.verify import verify_file, verify_log
from serve.cli import app

SECRET = b"0" * 32


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "audit"


def write(folder, numbers, **more):
    log = AuditLog(folder, SECRET, **more)
    for number in numbers:
        log.append({"event": "request", "id": f"r{number}"})
    log.close()


def lines(folder):
    return (folder / "audit.jsonl").read_bytes().splitlines(keepends=True)


def test_a_log_is_whole_and_its_owners_alone(folder):
    write(folder, range(3))
    write(folder, range(3, 5))
    rows = [json.loads(line) for line in lines(folder)]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["event"] == "file"
    assert [row["id"] for row in rows[1:]] == ["r0", "r1", "r2", "r3", "r4"]
    assert stat.S_IMODE((folder / "audit.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = verify_log(folder, SECRET)
    assert (found.problem, found.first, found.last, found.mac) == (None, 1, 6, rows[-1]["mac"])
    assert verify_log(folder, b"1" * 32).problem is not None


def change(number, old, new):
    return lambda rows: [*rows[:number], rows[number].replace(old, new), *rows[number + 1 :]]


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (change(2, b"r1", b"r9"), "audit.jsonl, line 3 was altered or put in"),
        (change(0, b"file", b"fire"), "audit.jsonl, line 1 was altered or put in"),
        (change(5, b"r4", b"r9"), "audit.jsonl, line 6 was altered or put in"),
        (change(3, b'"seq":4', b'"seq": 4'), "audit.jsonl, line 4 was altered or put in"),
        (lambda rows: rows[:2] + rows[3:], "line 3 is line 4 of the log, without line 3 before it"),
        (lambda rows: rows[:1] + rows[4:], "line 2 is line 5 of the log, without lines 2 to 4 before it"),
        (lambda rows: rows[1:], "line 1 is no beginning of a file"),
        (
            lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]],
            "line 3 is line 4 of the log, without line 3 before it",
        ),
        (lambda rows: [*rows[:3], rows[1], *rows[3:]], "line 4 is line 2 of the log, and stands where line 4 should"),
        (lambda rows: [*rows[:3], b"{}\n", *rows[3:]], "line 4 was altered or put in"),
        (lambda rows: rows[:4], "the end is missing: lines 5 to 6"),
        (lambda rows: [], "the end is missing: lines 1 to 6"),
    ],
)
def test_the_first_line_that_is_not_as_it_was_written_is_told(folder, tamper, problem):
    write(folder, range(5))
    (folder / "audit.jsonl").write_bytes(b"".join(tamper(lines(folder))))
    assert problem in verify_log(folder, SECRET).problem


def test_a_missing_or_altered_head_is_told_and_nothing_more_is_written(folder):
    write(folder, range(2))
    head = (folder / "audit.head").read_bytes()
    (folder / "audit.head").write_bytes(head.replace(b'"seq":3', b'"seq":2'))
    assert "was altered" in verify_log(folder, SECRET).problem
    with pytest.raises(ConfigError, match="move its folder away"):
        AuditLog(folder, SECRET)
    (folder / "audit.head").unlink()
    assert "is missing" in verify_log(folder, SECRET).problem
    with pytest.raises(ConfigError, match="is gone; move its folder away"):
        AuditLog(folder, SECRET)


def test_the_chain_goes_over_from_file_to_file(folder):
    write(folder, range(30), full=1000)
    full = sorted(folder.glob("audit.0*.jsonl"))
    assert [path.name for path in full[:2]] == ["audit.000001.jsonl", "audit.000002.jsonl"]
    assert all(1000 < path.stat().st_size < 1300 for path in full)
    found = verify_log(folder, SECRET)
    assert (found.problem, found.files, found.notes) == (None, len(full) + 1, [])
    assert verify_file(full[1], SECRET).problem is None
    # Old files may be deleted, oldest first, which is told; one from between may not.
    gone = full[0].read_bytes()
    full[0].unlink()
    found = verify_log(folder, SECRET)
    assert found.problem is None
    assert "it begins with file 2: audit.000002.jsonl, line 1 follows line" in found.notes[0]
    full[0].write_bytes(gone)
    full[1].unlink()
    assert "of the log, without lines" in verify_log(folder, SECRET).problem


def test_half_a_line_that_a_crash_left_is_cut_off_and_told(folder):
    write(folder, range(2))
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(b'{"seq":4,"time":"2')
    write(folder, range(2, 4))
    found = verify_log(folder, SECRET)
    assert (found.problem, found.last) == (None, 6)
    assert found.notes == [
        "audit.jsonl, line 4: 18 bytes of a half-written line, as of a crash, were cut off before it"
    ]


def test_a_line_whose_head_was_not_written_any_more_is_kept(folder):
    write(folder, range(2))
    head = (folder / "audit.head").read_bytes()
    write(folder, range(2, 4))
    (folder / "audit.head").write_bytes(head)
    write(folder, range(4, 5))
    assert [json.loads(line).get("id") for line in lines(folder)[1:]] == ["r0", "r1", "r2", "r3", "r4"]
    assert verify_log(folder, SECRET).problem is None


@pytest.mark.parametrize("begun", [False, True])
def test_a_server_that_stopped_between_two_files_goes_on_in_the_next(folder, begun):
    write(folder, range(2))
    head = (folder / "audit.head").read_bytes()
    if begun:
        write(folder, range(2, 3), full=1)
        os.truncate(folder / "audit.jsonl", len(lines(folder)[0]))
        (folder / "audit.head").write_bytes(head)
    else:
        (folder / "audit.jsonl").rename(folder / "audit.000001.jsonl")
    assert verify_log(folder, SECRET).problem is None
    write(folder, range(3, 4))
    found = verify_log(folder, SECRET)
    assert (found.problem, found.files, found.last) == (None, 2, 5)


def test_lines_cut_off_at_the_end_stay_missed_once_a_server_goes_on(folder):
    write(folder, range(5))
    os.truncate(folder / "audit.jsonl", sum(map(len, lines(folder)[:4])))
    write(folder, range(5, 7))
    assert "line 5 is line 7 of the log, without lines 5 to 6 before it" in verify_log(folder, SECRET).problem
    assert json.loads(lines(folder)[4])["why"] == "shortened"


def test_no_server_goes_on_behind_lines_that_none_wrote(folder):
    write(folder, range(2))
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(lines(folder)[-1])
    with pytest.raises(ConfigError, match="no server wrote"):
        AuditLog(folder, SECRET)


def test_processes_that_share_a_log_write_one_chain(folder):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write, args=(folder, range(200)), kwargs={"full": 9000}) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = verify_log(folder, SECRET)
    assert found.problem is None
    assert found.last == 600 + found.files


def test_what_cannot_be_written_is_owed(folder, monkeypatch):
    log = AuditLog(folder, SECRET)
    log.append({"event": "request", "id": "r0"})
    real = os.write
    # As a disk that fills up in the middle of a line.
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:10]))
    with pytest.raises(AuditError, match="cannot write the audit log"):
        log.append({"event": "request", "id": "r1"})
    log.owe({"event": "request", "id": "r1"})
    with pytest.raises(AuditError):
        log.settle()
    monkeypatch.undo()
    log.settle()
    log.close()
    assert [json.loads(line).get("id") for line in lines(folder)] == [None, "r0", "r1"]
    assert verify_log(folder, SECRET).notes == []


def test_a_closed_log_takes_no_line_even_where_another_file_has_its_number(folder, tmp_path):
    log = AuditLog(folder, SECRET)
    log.close()
    with (tmp_path / "other").open("wb"), (tmp_path / "more").open("wb"), pytest.raises(AuditError):
        log.append({"event": "request"})
    assert (tmp_path / "other").stat().st_size == 0


def test_the_command_says_whole_or_names_the_line(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path / "mistyped"))
    run = CliRunner().invoke
    none = run(app, ["audit", "verify"])
    assert (none.exit_code, "there is no secret" in none.stderr) == (2, True)
    assert not (tmp_path / "mistyped").exists()
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    load_secret()
    none = run(app, ["audit", "verify"])
    assert (none.exit_code, "there is no audit log" in none.stderr) == (2, True)
    log = AuditLog(audit_folder(), load_secret())
    log.append({"event": "request"})
    log.close()
    whole = run(app, ["audit", "verify"])
    assert whole.exit_code == 0
    assert whole.stdout.startswith("whole: lines 1 to 2 in 1 file; the last MAC is ")
    path = audit_folder() / "audit.jsonl"
    assert run(app, ["audit", "verify", str(path)]).stdout == whole.stdout
    path.write_bytes(path.read_bytes().replace(b"request", b"quest"))
    for command in (["audit", "verify"], ["audit", "verify", str(path)]):
        told = run(app, command)
        assert (told.exit_code, told.stdout) == (1, "not whole: audit.jsonl, line 2 was altered or put in\n")
