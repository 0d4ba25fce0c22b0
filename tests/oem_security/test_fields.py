"""Fields of documents from outside: each wrong one is named, and nothing unknown is kept."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oem_security import (
    Journal,
    JournalStorageError,
    Keyring,
    MalformedError,
    Purpose,
    verify_journal,
)
from oem_security.fields import Fields

GOOD = {
    "text": "abc",
    "number": 3,
    "flag": True,
    "time": "2026-01-02T03:04:05Z",
    "bytes": "AAEC",
    "names": ["a", "b"],
    "things": [{"x": 1}],
    "thing": {"x": 1},
    "kind": "token",
}
READERS: dict[str, Callable[[Fields], object]] = {
    "text": lambda f: f.text("text", max_length=3, pattern="[a-z]+"),
    "number": lambda f: f.integer("number", 0, 9),
    "flag": lambda f: f.boolean("flag"),
    "time": lambda f: f.time_ns("time"),
    "bytes": lambda f: f.bytes_b64("bytes", length=3),
    "names": lambda f: f.texts("names", max_items=2, max_length=1),
    "things": lambda f: [t.integer("x", 0, 1) for t in f.objects("things", max_items=1)],
    "thing": lambda f: f.object("thing").integer("x", 0, 1),
    "kind": lambda f: f.choice("kind", Purpose),
}
WRONG = [
    *(("text", value) for value in (1, "abcd", "AB")),
    *(("number", value) for value in ("3", True, 10, -1, 1.5)),
    *(("flag", value) for value in (1, "true")),
    *(("time", value) for value in ("yesterday", "2026-13-01T00:00:00Z", 5)),
    *(("bytes", value) for value in ("!!", "AAE=", "AAECAw==", "AAF")),
    *(("names", value) for value in ("a", ["a", "a"], ["ab"], [1], ["a", "b", "c"])),
    *(("things", value) for value in ({}, [1], [{"x": 1}, {"x": 1}])),
    *(("thing", value) for value in (1, None)),
    *(("kind", value) for value in ("other", 3)),
]


def test_good_fields_are_read_and_none_is_left() -> None:
    fields = Fields(GOOD, "doc")
    for read in READERS.values():
        read(fields)
    fields.done()
    assert fields.names() == ()


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_each_wrong_field_is_named(name: str, value: object) -> None:
    with pytest.raises(MalformedError) as caught:
        READERS[name](Fields({**GOOD, name: value}, "doc"))
    assert name in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("name", READERS)
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(MalformedError, match=f"{name}.*missing"):
        READERS[name](Fields({k: v for k, v in GOOD.items() if k != name}, "doc"))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(MalformedError, match="extra"):
        Fields({"extra": 1}, "doc").done()


def test_what_is_not_an_object_is_refused() -> None:
    with pytest.raises(MalformedError, match="not a JSON object"):
        Fields([], "doc")


def test_a_full_disk_poisons_the_writer_and_loses_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keyring.create(tmp_path / "keys")
    path = tmp_path / "log.jsonl"
    journal = Journal.open(path, keys)
    journal.append("k", {"n": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(JournalStorageError, match="No space left"):
            journal.append("k", {"n": 2})
    assert journal.poisoned
    with pytest.raises(JournalStorageError):
        journal.append("k", {"n": 3})
    journal.close()
    assert verify_journal(path, keys).kinds["k"] == 1
    with Journal.open(path, keys) as again:
        again.append("k", {"n": 4})
    assert verify_journal(path, keys, strict=True).kinds["k"] == 2
