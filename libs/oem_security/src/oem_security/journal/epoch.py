"""The private state of a journal: the signing key of its current epoch, and where trust begins.

An epoch is one segment of the log. Each has an Ed25519 key of its own, made at random; when the
epoch closes, its key signs the segment's seal and the next epoch's public key, and is erased. Who
takes the machine over later can write lies from then on, and can not re-seal what was closed.

The states live in `journals/` beside the keyring, outside the log's own folder.

Source: forward integrity, Bellare & Yee 1997; Schneier & Kelsey 1999.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from oem_security.errors import JournalError, OemSecurityError
from oem_security.fields import Fields, b64
from oem_security.files import PRIVATE_FILE, make_private_dir, read_bounded, sweep, write_atomic
from oem_security.keys.key import Algorithm, PublicKey
from oem_security.strict_json import loads

STATE_DIR = "journals"
_MAX_BYTES = 64 << 10
_TRIES = 5


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The signing key of one epoch of one journal.

    Attributes:
        epoch: 1, 2, 3 … within the journal; also the number of the segment.
        ring: Epoch of the keyring's journal key whose MAC the segment carries.
        seed: 32 random bytes.
    """

    epoch: int
    ring: int
    seed: bytes = field(repr=False)

    @classmethod
    def fresh(cls, epoch: int, ring: int) -> EpochKey:
        """Return a new random key."""
        return cls(epoch, ring, secrets.token_bytes(32))

    @property
    def public(self) -> PublicKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        return PublicKey(Algorithm.ED25519, key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of a message."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


@dataclass(frozen=True, slots=True)
class JournalState:
    """What a journal keeps outside its file.

    Attributes:
        journal_id: Random identifier, 16 hexadecimal digits.
        path: The journal's file, relative to the keyring's directory.
        begun: Whether the first record is on disk.
        origin: Hexadecimal public key of epoch 1, where trust in the log begins.
        current: Key of the epoch that is open.
        upcoming: Key of the epoch that is just being opened, else None.
    """

    journal_id: str
    path: str
    begun: bool
    origin: str
    current: EpochKey
    upcoming: EpochKey | None = None

    def save(self, keys: Path) -> None:
        """Write the state, private and whole; the bytes of the state before are overwritten.

        Overwriting is all a program can do: file systems that copy on write and flash drives may
        keep old blocks until they are used again.
        """
        document = {
            "format": "oem-journal-state",
            "version": 1,
            "id": self.journal_id,
            "path": self.path,
            "begun": self.begun,
            "origin": self.origin,
            "current": _key_json(self.current),
            "upcoming": None if self.upcoming is None else _key_json(self.upcoming),
        }
        path = state_path(keys, self.journal_id)
        make_private_dir(path.parent)
        old = os.open(path, os.O_RDWR | os.O_CLOEXEC) if path.exists() else -1
        try:
            data = json.dumps(document, indent=1).encode() + b"\n"
            write_atomic(path, data, mode=PRIVATE_FILE)
            if old >= 0:
                os.pwrite(old, bytes(os.fstat(old).st_size), 0)
                os.fsync(old)
        finally:
            if old >= 0:
                os.close(old)

    def advanced(self) -> JournalState:
        """Return the state after the epoch closed; its key is no longer in it."""
        if self.upcoming is None:
            raise ValueError("no epoch is being opened")
        return replace(self, current=self.upcoming, upcoming=None)


def new_state(keys: Path, path: Path, ring: int) -> JournalState:
    """Make and save the state of a journal that is about to begin."""
    key = EpochKey.fresh(1, ring)
    origin = key.public.raw.hex()
    state = JournalState(secrets.token_hex(8), relative(keys, path), False, origin, key)
    state.save(keys)
    return state


def tidy(keys: Path, state: JournalState) -> None:
    """Erase what a crash left of the state: a key that outlives its epoch could re-seal it.

    Only for who holds the lock of the journal.
    """
    sweep(state_path(keys, state.journal_id))


def state_path(keys: Path, journal_id: str) -> Path:
    """Return where the state of a journal is kept."""
    return keys / STATE_DIR / f"{journal_id}.json"


def relative(keys: Path, path: Path) -> str:
    """Return a journal's place relative to the keyring, so that a site can be moved whole."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(keys)).replace(os.sep, "/")


def state_of(keys: Path, journal_id: str) -> JournalState:
    """Return the state of a journal.

    Raises:
        JournalError: This keyring has no state of such a journal, or it is damaged.
    """
    path = state_path(keys, journal_id)
    if not path.is_file():
        raise JournalError(
            f"the keyring holds no epoch key of the journal {journal_id}",
            where=str(path),
            remedy="use the keyring of the site that wrote it; where the keys are lost, restore "
            "them from a backup or go on with: oem journal recover --begin-anew",
        )
    for _ in range(_TRIES):
        try:
            return _load(path)
        except OemSecurityError as error:
            # its writer may have replaced it just now and overwritten what was opened here
            failure = error
    raise JournalError(
        f"the state of the journal is damaged: {failure.what}",
        where=str(path),
        remedy="restore the keyring's folder from a backup, or go on with: "
        "oem journal recover --begin-anew",
    )


def state_at(keys: Path, path: Path, *, whole_only: bool = False) -> JournalState | None:
    """Return the state of the journal that belongs at `path`, None where there is none.

    Args:
        keys: The keyring's folder.
        path: The journal.
        whole_only: Pass over damaged states of whatever journal.

    Raises:
        JournalError: A state is damaged, so that it may be the one.
    """
    wanted = relative(keys, path)
    for journal_id in known_journals(keys):
        try:
            state = state_of(keys, journal_id)
        except JournalError:
            if whole_only:
                continue
            raise
        if state.path == wanted:
            return state
    return None


def known_journals(keys: Path) -> tuple[str, ...]:
    """Return the identifiers of every journal that a keyring has a state of."""
    folder = keys / STATE_DIR
    return tuple(file.stem for file in sorted(folder.glob("*.json"))) if folder.is_dir() else ()


def forget(keys: Path, state: JournalState) -> None:
    """Remove the state of a journal that never began or was set aside."""
    state_path(keys, state.journal_id).unlink(missing_ok=True)


def _load(path: Path) -> JournalState:
    data = read_bounded(path, _MAX_BYTES, what="journal state")
    fields = Fields(loads(data, what="journal state", max_bytes=_MAX_BYTES), str(path))
    if fields.text("format") != "oem-journal-state" or fields.integer("version", 1, 1) != 1:
        fields.fail("format", "is not oem-journal-state version 1")
    state = JournalState(
        journal_id=fields.text("id", pattern="[0-9a-f]{16}"),
        path=fields.text("path", max_length=4096),
        begun=fields.boolean("begun"),
        origin=fields.text("origin", pattern="[0-9a-f]{64}"),
        current=_key_of(fields.object("current")),
        upcoming=_upcoming(fields),
    )
    if state.journal_id != path.stem:
        fields.fail("id", "is not that of the file's name")
    fields.done()
    return state


def _upcoming(fields: Fields) -> EpochKey | None:
    value = fields.take("upcoming")
    return None if value is None else _key_of(Fields(value, "upcoming"))


def _key_json(key: EpochKey) -> dict[str, object]:
    return {"epoch": key.epoch, "ring": key.ring, "seed": b64(key.seed)}


def _key_of(fields: Fields) -> EpochKey:
    key = EpochKey(
        fields.integer("epoch", 1, 1 << 40),
        fields.integer("ring", 1, 1_000_000),
        fields.bytes_b64("seed", length=32),
    )
    fields.done()
    return key
