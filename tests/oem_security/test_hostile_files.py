"""Files as an attacker, a crash or a careless hand leaves them: each ends in a typed error."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oem_security import (
    InputError,
    Journal,
    JournalLockedError,
    Keyring,
    LicenseError,
    SealError,
    StateError,
    StorageError,
    audit_site,
    make_manifest,
    seal_file,
    verify_file,
)
from oem_security.anchors.chain import first_anchors
from oem_security.anchors.trusted import Anchors
from oem_security.files import exclusive, is_locked, lock
from oem_security.license.install import trust_vendor
from oem_security.license.paths import LicensePaths
from oem_security.license.seats import seats_taken, take_seat
from security_licenses import Trade


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "secrets" / "keys")


def sealed(folder: Path, keys: Keyring) -> Path:
    path = folder / "report.pdf"
    path.write_bytes(b"a")
    seal_file(path, keys, media_type="application/pdf")
    path.unlink()
    return path


def test_a_pipe_or_an_endless_file_in_a_sealed_files_place_is_refused_at_once(
    tmp_path: Path, keys: Keyring
) -> None:
    path = sealed(tmp_path, keys)
    os.mkfifo(path)
    with pytest.raises(InputError, match="a pipe"):
        verify_file(path, keys)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="a device"):
        verify_file(path, keys)
    path.unlink()
    path.write_bytes(b"a")
    os.truncate(path, 1 << 40)
    with pytest.raises(SealError, match="1099511627776 bytes, sealed were 1"):
        verify_file(path, keys)


def test_an_audit_reads_no_pipe_and_no_endless_envelope(tmp_path: Path, keys: Keyring) -> None:
    for name in ("x.jsonl", "x.json"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="a pipe"):
            audit_site(tmp_path, keys, [tmp_path / name])
    with pytest.raises(InputError, match="no such file"):
        audit_site(tmp_path, keys, [tmp_path / "nothing.json"])
    (tmp_path / "big.dsse.json").write_bytes(b"{")
    os.truncate(tmp_path / "big.dsse.json", 1 << 40)
    (found,) = audit_site(tmp_path, keys).findings
    assert not found.ok
    assert "larger than" in found.detail


def test_an_audit_knows_the_vendors_documents(tmp_path: Path) -> None:
    trade = Trade.begin(tmp_path / "elsewhere")
    keys = Keyring.create(tmp_path / "site" / "secrets" / "keys")
    site = tmp_path / "site"
    trust_vendor(LicensePaths(site / "var/licenses"), Anchors.of(trade.vendor), keys)
    (site / "bundle").mkdir()
    (site / "bundle" / "a").write_bytes(b"1")
    manifest = make_manifest(site / "bundle", trade.vendor, name="b", version=1)
    (site / "anchors.json").write_bytes(first_anchors(trade.vendor))
    assert audit_site(site, keys).ok
    stranger = Keyring.create(tmp_path / "stranger", trade.vendor.kind)
    make_manifest(site / "bundle", stranger, name="b", version=1)
    (wrong,) = (f for f in audit_site(site, keys).findings if not f.ok)
    assert wrong.path == str(manifest.relative_to(site))


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path, keys: Keyring) -> None:
    (tmp_path / "1.lock").mkdir()
    with pytest.raises(StorageError, match="the lock cannot be taken"):
        take_seat(tmp_path, 1)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="the lock cannot be taken"):
        Journal.open(tmp_path / "file" / "log.jsonl", keys)
    (tmp_path / "linked.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="the lock cannot be taken"):
        lock(tmp_path / "linked.lock")
    with pytest.raises(StorageError, match="the lock cannot be taken"):
        is_locked(tmp_path / "linked.lock")


def test_who_looks_whether_a_lock_is_held_keeps_nobody_from_taking_it(tmp_path: Path) -> None:
    end = threading.Event()
    path = tmp_path / "1.lock"

    def look() -> None:
        while not end.is_set():
            is_locked(path)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(200):
            with take_seat(tmp_path, 1):
                assert seats_taken(tmp_path, 1) == (1,)
                with pytest.raises(LicenseError, match="taken"):
                    take_seat(tmp_path, 1)
    finally:
        end.set()
        for looker in lookers:
            looker.join()


def test_looking_makes_no_lock(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "no" / "x.lock")
    assert seats_taken(tmp_path / "no", 3) == ()
    assert not (tmp_path / "no").exists()


def _hold_a_seat(folder: Path, seats: int, go: Any, done: Any, found: Any) -> None:
    go.wait()
    try:
        found.put(take_seat(folder, seats).number)
    except LicenseError:
        found.put(0)
    done.wait()


@pytest.mark.no_cover
def test_seats_raced_for_by_many_processes_go_once_each(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    go, done, found = context.Event(), context.Event(), context.Queue()
    racers = [
        context.Process(target=_hold_a_seat, args=(tmp_path, 3, go, done, found)) for _ in range(8)
    ]
    for racer in racers:
        racer.start()
    go.set()
    got = sorted(found.get(timeout=60) for _ in racers)
    done.set()
    for racer in racers:
        racer.join()
    assert got == [0] * 5 + [1, 2, 3]


def test_a_change_waits_for_another_one_as_long_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with exclusive(path, what="example"):
        with pytest.raises(StateError, match="another process"), exclusive(path, what="example"):
            pass
        threading.Timer(0.05, lambda: None).start()
    with exclusive(path, what="example", wait_s=5):
        assert is_locked(path)


def test_two_keyrings_are_not_made_in_one_place(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made: list[Keyring] = []
    refused: list[Exception] = []

    def make() -> None:
        try:
            made.append(Keyring.create(folder))
        except StateError as error:
            refused.append(error)

    racers = [threading.Thread(target=make) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [k.id for k in made] == [Keyring.open(folder).id]
    assert len(refused) == 5


def test_a_keyring_in_a_folder_where_others_can_write_is_refused(keys: Keyring) -> None:
    for mode in (0o777, 0o770, 0o702):
        keys.directory.chmod(mode)
        with pytest.raises(StorageError, match="others can write"):
            Keyring.open(keys.directory)
    keys.directory.chmod(0o755)
    Keyring.open(keys.directory)


def killed_at(event: str, number: int, work: Callable[[], object]) -> None:
    """Do some work in a child that dies by SIGKILL just before its n-th such file operation."""
    child = os.fork()
    if child == 0:
        left = [number]

        def hook(name: str, _: object) -> None:
            if name == event:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), 9)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    os.waitpid(child, 0)


def test_a_killed_save_leaves_no_epoch_key_behind(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "log.jsonl"
    with Journal.open(log, keys) as journal:
        journal.append("entry", {})
    folder = keys.directory / "journals"

    def turn() -> None:
        with Journal.open(log, keys) as journal:
            journal.rotate()

    left = 0
    for number in range(8):
        killed_at("os.rename", number, turn)
        left += sum(p.suffix != ".json" for p in folder.iterdir())
        Journal.open(log, keys).close()
        assert [p.suffix for p in folder.iterdir()] == [".json"]
    assert left  # or nothing was shown


def test_a_killed_rotation_leaves_no_copy_of_the_keys(keys: Keyring) -> None:
    from oem_security import Purpose, SystemClock

    killed_at("os.rename", 0, lambda: keys.rotate(Purpose.TOKEN, SystemClock()))
    assert len(list(keys.directory.glob(".keyring.json.*"))) == 1
    keys.rotate(Purpose.TOKEN, SystemClock())
    assert not list(keys.directory.glob(".keyring.json.*"))


def test_what_a_killed_writer_left_keeps_no_other_out(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "log.jsonl"
    with (
        Journal.open(log, keys),
        pytest.raises(JournalLockedError, match="another process"),
    ):
        Journal.open(log, keys)
    assert not is_locked(log.with_name("log.jsonl.lock"))
