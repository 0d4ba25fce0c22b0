"""Witness lines, proofs of inclusion and recovery: what is kept elsewhere finds what was redone."""

from __future__ import annotations

import io
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import security_journal as forger
from oem_security import (
    EntryServer,
    InclusionProof,
    InputError,
    Journal,
    JournalError,
    JournalLockedError,
    Keyring,
    OemSecurityError,
    Purpose,
    StateError,
    SystemClock,
    Witness,
    audit_site,
    begin_anew,
    check_inclusion,
    check_succession,
    check_witness,
    checkpoint_journal,
    export_witness,
    prove,
    read_journal,
    recover,
    verify_journal,
    witness_png,
)
from oem_security.journal.epoch import state_of
from oem_security.journal.head import Head, write_head
from oem_security.journal.keys import JournalKeys
from oem_security.journal.segments import segment_path


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def log(tmp_path: Path, keys: Keyring) -> Path:
    path = tmp_path / "site" / "log.jsonl"
    forger.write_log(path, keys)
    return path


def add(log: Path, keys: Keyring, entries: int = 3) -> None:
    with Journal.open(log, keys) as journal:
        for n in range(entries):
            journal.append("entry", {"more": n})


def saved(log: Path, keys: Keyring, to: Path) -> None:
    """Save or restore log and keys together: what whoever owns the machine can do."""
    for source in (log.parent, keys.directory):
        shutil.rmtree(to / source.name, ignore_errors=True)
        shutil.copytree(source, to / source.name)


def restored(log: Path, keys: Keyring, saved_at: Path) -> None:
    for target in (log.parent, keys.directory):
        shutil.rmtree(target)
        shutil.copytree(saved_at / target.name, target)


def differs(log: Path, keys: Keyring, witness: Witness, words: str) -> None:
    verify_journal(log, keys, strict=True)  # the machine itself notices nothing
    with pytest.raises(JournalError, match=words) as caught:
        check_witness(log, keys, witness)
    assert caught.value.remedy


def test_a_witness_holds_for_every_later_state_of_the_log(log: Path, keys: Keyring) -> None:
    seen = [export_witness(log, keys)]
    for step in range(4):
        add(log, keys)
        if step == 1:
            with Journal.open(log, keys) as journal:
                journal.rotate()
        seen.append(export_witness(log, keys, seen[-1]))
    for earlier, later in itertools.pairwise(seen):
        check_succession(earlier, later)
        check_succession(earlier, earlier)
        check_witness(log, keys, earlier)
    with pytest.raises(InputError, match="continues one of"):
        check_succession(seen[0], seen[2])


def test_a_witness_fits_a_qr_code_and_is_read_back(log: Path, keys: Keyring) -> None:
    zxingcpp = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    first = export_witness(log, keys)
    add(log, keys, 200)
    later = export_witness(log, keys, first)
    assert len(later.proof) > 3
    # as many hashes as the proof of a log of a thousand million records can have
    longest = replace(later, proof=(bytes(range(48)),) * 31)
    for witness in (later, longest):
        (found,) = zxingcpp.read_barcodes(image.open(io.BytesIO(witness_png(witness))))
        assert found.text == witness.line()
    assert Witness.parse(f"  {later.line()}\n") == later


@given(position=st.integers(0, 10_000), letter=st.sampled_from("ABCXYZ234567"))
def test_a_changed_letter_of_a_witness_is_noticed(position: int, letter: str) -> None:
    line = EXAMPLE
    at = position % len(line)
    changed = line[:at] + letter + line[at + 1 :]
    if changed != line:
        with pytest.raises(OemSecurityError):
            Witness.parse(changed)


@given(noise=st.one_of(st.text(max_size=200), st.text("ABC234567=", max_size=400)))
def test_noise_is_never_a_witness_nor_a_proof(noise: str) -> None:
    for read in (
        lambda: Witness.parse(noise),
        lambda: Witness.parse(f"OEM-WITNESS:1:{noise}"),
        lambda: InclusionProof.from_json(noise.encode(errors="replace")),
    ):
        with pytest.raises(OemSecurityError):
            read()


def _example() -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        keys = Keyring.create(Path(folder) / "keys")
        forger.write_log(Path(folder) / "log.jsonl", keys, epochs=1)
        return export_witness(Path(folder) / "log.jsonl", keys).line()


EXAMPLE = _example()


# attacks


def test_journal_split_view(log: Path, keys: Keyring, tmp_path: Path) -> None:
    before = export_witness(log, keys)
    saved(log, keys, tmp_path / "saved")
    add(log, keys)
    for_me = export_witness(log, keys, before)
    restored(log, keys, tmp_path / "saved")
    with Journal.open(log, keys) as journal:
        for n in range(3):
            journal.append("entry", {"otherwise": n})
    for_you = export_witness(log, keys, before)
    check_witness(log, keys, before)
    differs(log, keys, for_me, "not those the witness saw")
    with pytest.raises(JournalError, match="two different logs"):
        check_succession(for_me, for_you)
    check_succession(before, for_you)


def test_journal_reseal_after_shrink(log: Path, keys: Keyring, tmp_path: Path) -> None:
    saved(log, keys, tmp_path / "saved")
    add(log, keys, 10)
    witness = export_witness(log, keys)
    restored(log, keys, tmp_path / "saved")
    differs(log, keys, witness, "has 21 records, the witness saw 31")
    with pytest.raises(JournalError, match="went back"):
        check_succession(witness, export_witness(log, keys))
    add(log, keys, 20)
    differs(log, keys, witness, "not those the witness saw")
    with pytest.raises(JournalError):
        export_witness(log, keys, witness)


def test_journal_open_epoch_rewritten_by_the_machines_owner(log: Path, keys: Keyring) -> None:
    witness = export_witness(log, keys)
    last = sum(len(p.read_bytes().splitlines()) for p in forger.parts(log)[:-1]) + 2
    copies = {p: p.read_bytes() for p in forger.parts(log)[:-1]}

    def lie(number: int, value: dict[str, object]) -> dict[str, object]:
        return {**value, "body": {"n": "forged"}} if number == last else value

    forger.forge(log, keys, lie)
    for part, data in copies.items():
        part.write_bytes(data)
    # sealed anew with the open epoch's own key, and linked to the closed ones: a perfect forgery
    link_the_last_segment(log, keys)
    differs(log, keys, witness, "not those the witness saw")


def link_the_last_segment(log: Path, keys: Keyring) -> None:
    """Do what `forge` does for the last segment only, upon the closed segments as they are."""
    import json

    from oem_security.journal.record import encode_line
    from oem_security.merkle import TreeRange, leaf_hash

    state = state_of(keys.directory, forger.journal_id(log))
    journal = JournalKeys(state.journal_id, keys)
    closed = b"".join(p.read_bytes() for p in forger.parts(log)[:-1]).splitlines()
    tree = TreeRange()
    tree.extend([leaf_hash(line) for line in closed])
    link, seq, lines = leaf_hash(closed[-1]).hex(), len(closed), []
    mac = journal.mac(state.current.ring, state.current.epoch)
    for line in log.read_bytes().splitlines():
        value = json.loads(line)
        body = value["body"]
        if value["kind"] == "journal.checkpoint":
            body = journal.checkpoint(state.current, seq, tree.root())
        elif value["kind"] == "journal.continued":
            peaks = [peak.hex() for peak in tree.hashes()]
            body = body | {"size": seq, "root": tree.root().hex(), "peaks": peaks}
        text = json.dumps(body, separators=(",", ":")).encode()
        key_id = journal.key_id(state.current.epoch)
        made, leaf = encode_line(seq, value["time"], value["kind"], key_id, text, link, mac)
        lines.append(made + b"\n")
        tree.extend([leaf])
        link, seq = leaf.hex(), seq + 1
    log.write_bytes(b"".join(lines))


def test_journal_reseal_with_a_newer_key_after_rotation(
    log: Path, keys: Keyring, tmp_path: Path
) -> None:
    witness = export_witness(log, keys)
    shutil.rmtree(log.parent)
    shutil.rmtree(keys.directory / "journals")
    rotated = keys.rotate(Purpose.JOURNAL, SystemClock())
    forger.write_log(log, rotated, epochs=4)  # a whole new log in its place, with newer keys
    differs(log, rotated, witness, "not the journal")
    later = export_witness(log, rotated)
    with pytest.raises(JournalError, match="different logs"):
        check_succession(witness, later)
    with pytest.raises(JournalError, match="signature of the witness"):
        Witness.parse(replace(later, journal_id=witness.journal_id).line())


def test_journal_epoch_gap_before_a_witness(log: Path, keys: Keyring) -> None:
    witness = export_witness(log, keys)
    segment_path(log, 2).unlink()
    with pytest.raises(JournalError, match="segment 2 of the log is missing"):
        check_witness(log, keys, witness)
    forged = replace(witness, epoch=2)
    with pytest.raises(JournalError):
        Witness.parse(forged.line())
    with pytest.raises(JournalError, match="went back"):
        check_succession(witness, forged)


def test_journal_swapped_log_is_not_the_witnessed_one(log: Path, keys: Keyring) -> None:
    other = log.with_name("other.jsonl")
    forger.write_log(other, keys)
    differs(other, keys, export_witness(log, keys), "not the journal")


def test_journal_witness_with_a_false_proof(log: Path, keys: Keyring) -> None:
    first = export_witness(log, keys)
    add(log, keys, 9)
    later = export_witness(log, keys, first)
    for proof in (later.proof[:-1], (*later.proof, bytes(48)), later.proof[::-1]):
        with pytest.raises(JournalError, match="does not begin with"):
            check_succession(first, replace(later, proof=proof))


# proofs of inclusion


def test_every_record_can_be_shown_and_no_other(log: Path, keys: Keyring) -> None:
    witness = export_witness(log, keys)
    lines = b"".join(p.read_bytes() for p in forger.parts(log)).splitlines()
    for seq in range(witness.size):
        proof = InclusionProof.from_json(prove(log, keys, seq).to_json())
        assert proof.line == lines[seq]
        assert check_inclusion(proof, witness).seq == seq
        with pytest.raises(OemSecurityError):
            check_inclusion(replace(proof, line=lines[seq][:-1] + b" }"))
    with pytest.raises(StateError, match="no checkpoint covers"):
        prove(log, keys, witness.size)  # the checkpoint itself
    with pytest.raises(InputError, match="no record"):
        prove(log, keys, 10_000)


def test_a_record_is_shown_under_a_witness_that_was_kept(log: Path, keys: Keyring) -> None:
    monday = export_witness(log, keys)
    add(log, keys)
    with pytest.raises(JournalError, match="not under the witness"):
        check_inclusion(prove(log, keys, 1), monday)  # that of the newest checkpoint
    assert check_inclusion(prove(log, keys, 1, monday), monday).seq == 1
    with pytest.raises(StateError, match="came later"):
        prove(log, keys, monday.size, monday)
    with pytest.raises(JournalError, match="does not agree"):
        prove(log, keys, 1, replace(monday, root=bytes(48)))


def test_a_proof_is_of_one_line_log_and_checkpoint(log: Path, keys: Keyring) -> None:
    proof = prove(log, keys, 3)
    for forged in (
        replace(proof, seq=4),
        replace(proof, size=proof.size + 1),
        replace(proof, root=bytes(48)),
        replace(proof, path=proof.path[:-1]),
        replace(proof, signature=bytes(64)),
        replace(proof, journal_id="0" * 16),
    ):
        with pytest.raises(OemSecurityError):
            check_inclusion(forged)
    witness = export_witness(log, keys)
    add(log, keys)
    with pytest.raises(JournalError, match="not under the witness"):
        check_inclusion(prove(log, keys, 3), witness)


def test_a_log_without_checkpoint_proves_nothing_yet(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys) as journal:
        journal.append("entry", {})
        with pytest.raises(StateError):
            export_witness(path, keys)
        with pytest.raises(StateError):
            prove(path, keys, 1)
        with EntryServer(journal):
            assert checkpoint_journal(path, keys).seq == 2
        assert export_witness(path, keys).size == 2
    assert checkpoint_journal(path, keys).seq == 4  # after the one of closing


# recovery


def test_recovery_finishes_what_a_crash_left(log: Path, keys: Keyring) -> None:
    with log.open("ab") as stream:
        stream.write(b'{"seq":')
    assert recover(log, keys).report.recoveries == 1
    assert recover(log, keys).report.closed
    with pytest.raises(InputError):
        recover(log.with_name("absent.jsonl"), keys)
    with Journal.open(log, keys), pytest.raises(JournalLockedError):
        recover(log, keys)


@pytest.mark.parametrize("damage", ["edit", "cut", "segment", "state", "deleted"])
def test_a_damaged_log_is_set_aside_and_begun_anew(log: Path, keys: Keyring, damage: str) -> None:
    if damage == "edit":
        log.write_bytes(log.read_bytes().replace(b'"n":12', b'"n":13'))
    elif damage == "cut":
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-2]))
    elif damage == "segment":
        segment_path(log, 1).unlink()
    elif damage == "deleted":
        log.unlink()
    else:
        shutil.rmtree(keys.directory / "journals")
    with pytest.raises(OemSecurityError):
        recover(log, keys)
    with pytest.raises(InputError, match="no reason"):
        begin_anew(log, keys, reason=" ")
    done = begin_anew(log, keys, reason="disk failed")
    assert done.fault
    (entry,) = [r.body for r in read_journal(log, keys, {"journal.begun_anew"})]
    assert entry["reason"] == "disk failed"
    assert entry["kept_in"] == done.kept
    assert {p.name for p in (log.parent / done.kept).iterdir()} == set(entry["sha384"])
    assert done.report.closed
    assert audit_site(log.parent, keys).ok
    with pytest.raises(InputError, match="nothing to set aside"):
        begin_anew(log, keys, reason="again")


def test_a_head_made_anew_does_not_hide_a_cut_from_a_witness(log: Path, keys: Keyring) -> None:
    witness = export_witness(log, keys)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-2]))
    journal = JournalKeys(witness.journal_id, keys)
    records = sum(len(p.read_bytes().splitlines()) for p in forger.parts(log))
    write_head(log, journal, Head(witness.journal_id, records, closed=True))
    differs(log, keys, witness, "the witness saw")
