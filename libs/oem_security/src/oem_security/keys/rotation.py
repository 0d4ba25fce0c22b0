"""Replacing keys before they are due: who is due, a plan, and its execution on record.

A rotation adds a key and leaves the one before to verify what it signed. It is planned first; the
plan's identifier stands for exactly these keys in exactly this state, and only a plan that still
fits is carried out.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from oem_security.clock import Clock, SystemClock, rfc3339
from oem_security.envelope.dsse import open_payload, seal_payload
from oem_security.envelope.policy import PayloadType
from oem_security.envelope.seal import seal_file
from oem_security.errors import InputError, StateError
from oem_security.files import write_atomic
from oem_security.journal.reader import read_journal
from oem_security.journal.writer import Journal
from oem_security.keys.key import DAY_NS, KeyEpoch, KeyState, Purpose, RotationRule
from oem_security.keys.keyring import Keyring
from oem_security.strict_json import canonical

PLANNED = "keys.rotation.planned"
ROTATED = "keys.rotated"
REVOKED = "keys.revoked"
RULE = "keys.rule"
REPORTED = "keys.rotation.reported"
SUBJECT = "key rotation"


class Standing(enum.Enum):
    """How a key stands towards its rotation."""

    FRESH = "fresh"
    WARNING = "warning"
    """The warning time before the end of its interval has begun."""
    OVERDUE = "overdue"
    """The interval is over; it signs on until it is rotated."""
    VERIFY_ONLY = "verify-only"
    REVOKED = "revoked"


_EFFECT = {
    Purpose.DOCUMENT: "what was sealed before verifies on; new seals carry the new key",
    Purpose.TOKEN: "tokens issued before are accepted until they expire",
    Purpose.STATE: "state files are written anew with the new key when they change",
    Purpose.DEVICE: "the installed licence stays valid; the next request carries the new key",
    Purpose.JOURNAL: "each log closes its epoch and begins a segment when it is opened again",
    Purpose.VENDOR: "sites need the next version of the trust anchors: oem anchors next",
    Purpose.ROOT: "sites need the next version of the trust anchors: oem anchors next",
    Purpose.TRANSPORT: "sites need the next version of the trust anchors: oem anchors next",
}


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """How one key stands.

    Attributes:
        key: The key epoch.
        standing: How it stands now.
        days_left: Days until its interval is over, negative after that.
    """

    key: KeyEpoch
    standing: Standing
    days_left: int


@dataclass(frozen=True, slots=True)
class RotationStep:
    """One key to be replaced."""

    purpose: Purpose
    epoch: int
    standing: Standing

    @property
    def name(self) -> str:
        return f"{self.purpose.value}/{self.epoch}"

    @property
    def effect(self) -> str:
        return _EFFECT[self.purpose]


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """Which keys are to be replaced.

    Attributes:
        id: 16 hexadecimal digits over the keyring and the steps.
        steps: The keys, in the keyring's order.
    """

    id: str
    steps: tuple[RotationStep, ...]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: the keyring after it, and where its report is."""

    keyring: Keyring
    plan: RotationPlan
    report: Path


def key_status(keyring: Keyring, clock: Clock | None = None) -> tuple[KeyStatus, ...]:
    """Return how every key of a keyring stands, active ones first.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = key_status(Keyring.create(Path(folder) / "keys"))
        >>> {status.standing.value for status in found}
        {'fresh'}
    """
    now = (clock or SystemClock()).now_ns()
    order = {KeyState.ACTIVE: 0, KeyState.VERIFY_ONLY: 1, KeyState.REVOKED: 2}
    keys = sorted(keyring.epochs, key=lambda key: (order[key.state], key.due_ns))
    return tuple(KeyStatus(k, _standing(k, now), (k.due_ns - now) // DAY_NS) for k in keys)


def plan_rotation(
    keyring: Keyring, purposes: Collection[Purpose] | None = None, *, clock: Clock | None = None
) -> RotationPlan:
    """Return which keys are to be replaced.

    Args:
        keyring: The keyring.
        purposes: These, due or not; None for those whose warning time has begun.
        clock: Tells the time.

    Raises:
        InputError: The keyring has no key of a purpose.
    """
    for purpose in purposes or ():
        if purpose not in keyring.purposes():
            raise InputError(
                f"this {keyring.kind.value} keyring has no {purpose.value} key",
                remedy="name one of " + ", ".join(p.value for p in keyring.purposes()),
            )
    now = (clock or SystemClock()).now_ns()
    due = (Standing.WARNING, Standing.OVERDUE)
    steps = tuple(
        RotationStep(key.purpose, key.epoch, _standing(key, now))
        for key in keyring.epochs
        if key.state is KeyState.ACTIVE
        and (key.purpose in purposes if purposes is not None else _standing(key, now) in due)
    )
    stated = {"keyring": keyring.id, "steps": [step.name for step in steps]}
    return RotationPlan(hashlib.sha384(canonical(stated)).hexdigest()[:16], steps)


def rotate_keys(
    keyring: Keyring,
    plan: RotationPlan,
    *,
    log: Path,
    reports: Path,
    operator: str,
    reason: str,
    clock: Clock | None = None,
) -> Rotation:
    """Carry a plan out: new keys, a record of each in a journal, and a sealed report.

    Args:
        keyring: The keyring the plan is of.
        plan: What `plan_rotation` gave.
        log: Journal of rotations; it is made when missing.
        reports: Folder of the reports.
        operator: Who rotates.
        reason: Why.
        clock: Tells the time.

    Raises:
        StateError: The plan is empty, or does not fit the keyring any more.
        InputError: Operator or reason is missing.
    """
    clock = clock or SystemClock()
    _require_words(operator, reason)
    if not plan.steps:
        raise StateError("nothing is due", remedy="name what to rotate: --purpose, or --all")
    with Journal.open(log, keyring, subject=SUBJECT, clock=clock) as journal:
        after = Keyring.open(keyring.directory)
        known = {step.purpose: step.epoch for step in plan.steps}
        if known != {p: after.active(p).epoch for p in known}:
            raise StateError(
                "the plan does not fit the keys any more",
                where=str(keyring.directory),
                remedy="plan again: oem keys plan",
            )
        _record_missed(journal, log, after)
        told = {"plan": plan.id, "operator": operator, "reason": reason}
        journal.append(PLANNED, {**told, "keys": [step.name for step in plan.steps]})
        probe = seal_payload(told, PayloadType.DOCUMENT, after)
        for step in plan.steps:
            after = after.rotate(step.purpose, clock)
            journal.append(ROTATED, {**told, **_fresh_json(after, step.purpose)})
        open_payload(probe, PayloadType.DOCUMENT, after)  # what was sealed before still verifies
        report = _report(reports, after, plan, told, clock)
        digest = hashlib.sha384(report.read_bytes()).hexdigest()
        journal.append(REPORTED, {"plan": plan.id, "report": report.name, "sha384": digest})
    return Rotation(after, plan, report)


def revoke_key(
    keyring: Keyring,
    name: str,
    *,
    log: Path,
    operator: str,
    reason: str,
    clock: Clock | None = None,
) -> Keyring:
    """Revoke a superseded key on record: what it signed verifies no more.

    Args:
        keyring: The keyring.
        name: The key, such as `document/1`.
        log: Journal of rotations.
        operator: Who revokes.
        reason: Why.
        clock: Tells the time.

    Raises:
        InputError: There is no such key, or operator or reason is missing.
        StateError: It is the active one.
    """
    _require_words(operator, reason)
    purpose, number = _parsed(keyring, name)
    with Journal.open(log, keyring, subject=SUBJECT, clock=clock) as journal:
        after = keyring.revoke(purpose, number)
        journal.append(REVOKED, {"key": name, "operator": operator, "reason": reason})
    return after


def set_rule(
    keyring: Keyring, purpose: Purpose, rule: RotationRule, *, log: Path, operator: str, reason: str
) -> Keyring:
    """Change how often a key is replaced, on record; it holds for the active key and its heirs.

    Raises:
        InputError: The warning time is not shorter than the interval, or a word is missing.
    """
    _require_words(operator, reason)
    with Journal.open(log, keyring, subject=SUBJECT) as journal:
        after = keyring.with_rule(purpose, rule)
        rules = {"interval_days": rule.interval_days, "warn_days": rule.warn_days}
        journal.append(
            RULE, {"purpose": purpose.value, **rules, "operator": operator, "reason": reason}
        )
    return after


def _standing(key: KeyEpoch, now_ns: int) -> Standing:
    if key.state is not KeyState.ACTIVE:
        return Standing(key.state.value)
    if now_ns >= key.due_ns:
        return Standing.OVERDUE
    return Standing.WARNING if now_ns >= key.warn_ns else Standing.FRESH


def _record_missed(journal: Journal, log: Path, keyring: Keyring) -> None:
    """Write down rotations that a crash kept from being recorded."""
    seen = {r.body.get("key") for r in read_journal(log, keyring, {ROTATED})}
    for key in keyring.epochs:
        if key.epoch > 1 and key.name not in seen and key.state is not KeyState.REVOKED:
            journal.append(ROTATED, {**_key_json(key), "found": True})


def _fresh_json(keyring: Keyring, purpose: Purpose) -> dict[str, object]:
    return _key_json(keyring.active(purpose))


def _key_json(key: KeyEpoch) -> dict[str, object]:
    return {
        "key": key.name,
        "replaces": f"{key.purpose.value}/{key.epoch - 1}",
        "key_id": key.mac_key("identity").key_id.partition(":")[2],
        "created": rfc3339(key.created_ns),
        "due": rfc3339(key.due_ns),
        "warning_from": rfc3339(key.warn_ns),
    }


def _report(
    folder: Path, keyring: Keyring, plan: RotationPlan, told: dict[str, str], clock: Clock
) -> Path:
    now = rfc3339(clock.now_ns())
    document = {
        "format": "oem-key-rotation-report",
        "version": 1,
        "keyring": keyring.id,
        "kind": keyring.kind.value,
        "executed": now,
        **told,
        "rotated": [
            {
                **_fresh_json(keyring, step.purpose),
                "was": step.standing.value,
                "now": keyring.epoch(step.purpose, step.epoch).state.value,
                "effect": step.effect,
            }
            for step in plan.steps
        ],
        "keys": [
            {"key": s.key.name, "standing": s.standing.value, "days_left": s.days_left}
            for s in key_status(keyring, clock)
        ],
    }
    stamp = now[:19].replace(":", "").replace("-", "")
    path = folder / f"key_rotation_{stamp}_{plan.id}.json"
    write_atomic(path, json.dumps(document, indent=1).encode() + b"\n")
    claims = {"report": "key-rotation", "plan": plan.id}
    seal_file(path, keyring, media_type="application/json", claims=claims, clock=clock)
    return path


def _parsed(keyring: Keyring, name: str) -> tuple[Purpose, int]:
    for key in keyring.epochs:
        if key.name == name:
            return key.purpose, key.epoch
    raise InputError(
        f"there is no key {name}",
        where=str(keyring.directory),
        remedy="name one of " + ", ".join(key.name for key in keyring.epochs),
    )


def _require_words(operator: str, reason: str) -> None:
    if not operator.strip() or not reason.strip():
        raise InputError(
            "operator or reason is missing", remedy="say who and why: --operator, --reason"
        )
