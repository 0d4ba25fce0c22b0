"""`oem journal` from the first entry to a damaged log, as an operator uses it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli_shell import Shell
from oem_security import EntryServer, Journal, Keyring


@pytest.fixture
def oem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("init")
    return shell


@pytest.fixture
def log(oem: Shell) -> Path:
    path = oem.site / "audit" / "notes.jsonl"
    for n in range(3):
        done = oem("journal", "append", path, "--kind", "note", "--body", f'{{"n": {n}}}')
    assert done["seq"] == 5  # each command opens the log, and leaves a checkpoint when it closes it
    return path


def test_witness_and_proof_travel_and_are_checked_elsewhere(oem: Shell, log: Path) -> None:
    first, later, qr = (oem.root / name for name in ("first.txt", "later.txt", "later.png"))
    oem("journal", "export-witness", log, "--output", first)
    oem("journal", "append", log, "--kind", "note", "--body", '{"n": 4}')
    told = oem("journal", "export-witness", log, "--since", first, "--output", later, "--qr", qr)
    assert (told["since"], told["size"]) == (6, 8)
    assert qr.read_bytes().startswith(b"\x89PNG")
    assert oem("journal", "check-witness", first, later)["ok"]
    assert oem("journal", "verify", log, "--strict", "--witness", first)["witnessed"] == 6
    proof = oem.root / "proof.json"
    oem("journal", "prove", log, "--seq", 3, "--output", proof)
    shown = oem("journal", "prove", "--check", proof, "--witness", later)
    assert (shown["kind"], shown["body"]) == ("note", {"n": 1})
    oem("journal", "prove", "--check", proof, "--witness", first, code=4)
    oem("journal", "prove", log, "--seq", 3, "--output", proof, "--witness", first)
    assert oem("journal", "prove", "--check", proof, "--witness", first)["seq"] == 3
    proof.write_bytes(proof.read_bytes().replace(b'\\"n\\":1', b'\\"n\\":2'))
    oem("journal", "prove", "--check", proof, code=4)
    oem("journal", "prove", code=3)
    oem("journal", "check-witness", later, qr, code=3)


def test_a_running_writer_takes_entries_and_signs_checkpoints(oem: Shell, log: Path) -> None:
    keyring = Keyring.open(oem.site / "secrets" / "keys")
    with Journal.open(log, keyring) as journal, EntryServer(journal):
        assert oem("journal", "append", log, "--kind", "note", "--body", "{}")["seq"] == 7
        assert oem("journal", "checkpoint", log)["size"] == 8
    assert oem("journal", "summary", log)["kinds"]["note"] == 4  # type: ignore[index]


def test_a_place_that_can_be_no_log_is_bad_input(oem: Shell, log: Path) -> None:
    link, pipe = oem.root / "link.jsonl", oem.root / "pipe.jsonl"
    link.symlink_to(log)
    os.mkfifo(pipe)
    for place in (link, pipe, oem.root, Path("/dev/null"), Path()):
        oem("journal", "append", place, "--kind", "note", "--body", "{}", code=3)
        oem("journal", "verify", place, code=3)
    assert not Path("/dev/null.lock").exists()


@pytest.mark.parametrize(
    "body", ["\udcff", "", "[]", "null", "{", '{"a":1,"a":2}', '{"a":NaN}', "[" * 9000]
)
def test_an_entry_that_is_no_object_is_refused(oem: Shell, log: Path, body: str) -> None:
    oem("journal", "append", log, "--kind", "note", "--body", body, code=3)
    oem("journal", "append", log, "--kind", "journal.sealed", "--body", "{}", code=3)
    oem("journal", "checkpoint", log.with_name("absent.jsonl"), code=3)


def test_a_damaged_log_is_set_aside_with_a_reason(oem: Shell, log: Path) -> None:
    assert oem("journal", "recover", log)["fault"] == ""
    log.write_bytes(log.read_bytes().replace(b'"n":1', b'"n":7'))
    assert "begin-anew" in str(oem("journal", "recover", log, code=4)["error"])
    oem("journal", "recover", log, "--begin-anew", code=3)
    done = oem("journal", "recover", log, "--begin-anew", "--reason", "disk failed")
    assert "line 4" in str(done["fault"])
    assert done["held"] == 3
    assert (log.parent / str(done["kept"])).is_dir()
    assert oem("journal", "verify", log, "--strict")["ok"]
    assert oem("journal", "summary", log)["kinds"]["journal.begun_anew"] == 1  # type: ignore[index]
