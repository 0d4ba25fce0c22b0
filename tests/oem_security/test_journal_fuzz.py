"""Whatever stands in a log, reading it ends in a typed error or in what was written."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import Journal, JournalError, Keyring, OemSecurityError, verify_journal
from oem_security.journal.epoch import state_of
from oem_security.journal.head import head_path
from oem_security.journal.keys import JournalKeys
from oem_security.journal.record import encode_line
from oem_security.journal.segments import CHECKPOINT, CONTINUED, OPENED, SEALED
from oem_security.merkle import leaf_hash

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


class Log:
    """A log of one record, and the keys to write any second line with a MAC that holds."""

    def __init__(self, folder: Path) -> None:
        self.keys = Keyring.create(folder / "keys")
        self.path = folder / "log.jsonl"
        with Journal.open(self.path, self.keys) as journal:
            self.id = journal.journal_id
        head_path(self.path).unlink()
        self.first = self.path.read_bytes().splitlines(keepends=True)[0]
        state = state_of(self.keys.directory, self.id)
        self.journal = JournalKeys(self.id, self.keys)
        self.mac = self.journal.mac(state.current.ring, 1)
        self.link = leaf_hash(self.first[:-1]).hex()

    def put(self, line: bytes) -> None:
        self.path.write_bytes(self.first + line)

    def line(self, kind: str, body: bytes, seq: int = 1) -> bytes:
        made, _ = encode_line(
            seq, "2026-01-01T00:00:00.000000000Z", kind, f"{self.id}.1", body, self.link, self.mac
        )
        return made + b"\n"


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with tempfile.TemporaryDirectory() as folder:
        yield Log(Path(folder))


def survives(log: Log) -> None:
    with contextlib.suppress(OemSecurityError):
        assert verify_journal(log.path, log.keys).records >= 1


@given(noise=st.binary(max_size=300), ends=st.booleans())
def test_noise_after_a_record_is_a_typed_error_or_a_torn_line(
    log: Log, noise: bytes, ends: bool
) -> None:
    log.put(noise + b"\n" * ends)
    if b"\n" in noise + b"\n" * ends:
        with pytest.raises(JournalError):
            verify_journal(log.path, log.keys)
    else:
        assert verify_journal(log.path, log.keys).torn_bytes == len(noise)


@given(noise=st.binary(min_size=1, max_size=300))
def test_noise_in_place_of_a_log_is_a_typed_error(log: Log, noise: bytes) -> None:
    log.path.write_bytes(noise)
    for attempt in (
        lambda: verify_journal(log.path, log.keys),
        lambda: Journal.open(log.path, log.keys),
    ):
        with pytest.raises(OemSecurityError):
            attempt()
    for part in log.path.parent.glob("log.jsonl.torn*"):
        part.unlink()


@given(body=st.binary(max_size=80).filter(lambda b: b"\n" not in b))
def test_a_line_with_a_mac_that_holds_and_any_body_is_read_or_refused(
    log: Log, body: bytes
) -> None:
    log.put(log.line("note", body))
    survives(log)


@given(
    kind=st.sampled_from([OPENED, CONTINUED, SEALED, CHECKPOINT, "journal.new", "note", ""]),
    body=st.dictionaries(
        st.sampled_from(
            ["epoch", "size", "root", "sig", "next", "public", "ring", "journal", "peaks", "x"]
        ),
        json_values,
        max_size=6,
    ),
    seq=st.integers(0, 3),
)
def test_records_of_the_journal_itself_are_never_believed_for_their_mac_alone(
    log: Log, kind: str, body: dict[str, Any], seq: int
) -> None:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    log.put(log.line(kind, text.encode(errors="replace"), seq))
    survives(log)
    if kind in (OPENED, CONTINUED, SEALED, CHECKPOINT):
        with pytest.raises(JournalError):
            verify_journal(log.path, log.keys)


@given(
    body=st.dictionaries(
        st.sampled_from(["epoch", "size", "root", "public", "ring", "journal", "peaks", "subject"]),
        json_values,
        max_size=8,
    ),
    kind=st.sampled_from([OPENED, CONTINUED, "note"]),
)
def test_a_first_record_of_anything_is_a_typed_error(
    log: Log, kind: str, body: dict[str, Any]
) -> None:
    value = {"journal": log.id, "ring": 1, "epoch": 1, **body}
    text = json.dumps(value, separators=(",", ":")).encode()
    log.path.write_bytes(log.line(kind, text, 0))
    for attempt in (
        lambda: verify_journal(log.path, log.keys),
        lambda: Journal.open(log.path, log.keys),
    ):
        with pytest.raises(OemSecurityError):
            attempt()
