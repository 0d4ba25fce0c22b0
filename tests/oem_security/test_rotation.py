"""Keys are replaced in time, by a plan, on record; nothing signed yesterday stops verifying."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import (
    InputError,
    Journal,
    Keyring,
    KeyringError,
    KeyringKind,
    OemSecurityError,
    PayloadType,
    Purpose,
    RotationRule,
    Standing,
    StateError,
    TokenVerifier,
    issue_token,
    key_status,
    open_payload,
    plan_rotation,
    read_journal,
    revoke_key,
    rotate_keys,
    seal_payload,
    set_rule,
    verify_file,
    verify_journal,
)
from oem_security.keys.key import DAY_NS

START_NS = 1_700_000_000 * 10**9


class At:
    """A clock that stands a number of days after the keyring was made."""

    def __init__(self, days: float = 0) -> None:
        self.days = days

    def now_ns(self) -> int:
        return START_NS + int(self.days * DAY_NS)


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys", clock=At())


def rotate(keys: Keyring, tmp_path: Path, *purposes: Purpose, days: float = 1) -> Keyring:
    plan = plan_rotation(keys, purposes, clock=At(days))
    places = {"log": tmp_path / "rotation.jsonl", "reports": tmp_path / "reports"}
    words = {"operator": "alice", "reason": "test"}
    return rotate_keys(keys, plan, **places, **words, clock=At(days)).keyring  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "standing"),
    [(0, "fresh"), (75.9, "fresh"), (76, "warning"), (89.9, "warning"), (90, "overdue")],
)
def test_warning_begins_before_the_interval_ends(keys: Keyring, days: float, standing: str) -> None:
    found = {s.key.purpose: s for s in key_status(keys, At(days))}
    assert found[Purpose.DOCUMENT].standing.value == standing
    assert found[Purpose.DEVICE].standing is Standing.FRESH
    due = [step.purpose for step in plan_rotation(keys, clock=At(days)).steps]
    assert (Purpose.DOCUMENT in due) == (standing != "fresh")


@given(days=st.floats(0, 4000), interval=st.integers(2, 1000), warn=st.integers(0, 999))
def test_prop_standing_follows_the_rule(days: float, interval: int, warn: int) -> None:
    from oem_security.keys.key import KeyEpoch, KeyState

    rule = RotationRule(interval, min(warn, interval - 1))
    key = KeyEpoch(Purpose.TOKEN, 1, KeyState.ACTIVE, START_NS, rule, b"k" * 48)
    keyring = Keyring(Path("none"), KeyringKind.SITE, "0" * 16, (key,))
    (status,) = key_status(keyring, At(days))
    left = START_NS + interval * DAY_NS - At(days).now_ns()
    expected = "overdue" if left <= 0 else "warning" if left <= rule.warn_days * DAY_NS else "fresh"
    assert status.standing.value == expected


def test_a_rotation_is_in_a_journal_and_in_a_sealed_report(keys: Keyring, tmp_path: Path) -> None:
    after = rotate(keys, tmp_path, *keys.purposes())
    assert all(after.active(p).epoch == 2 for p in keys.purposes())
    log = tmp_path / "rotation.jsonl"
    kinds = [r.kind for r in read_journal(log, after) if r.kind.startswith("keys.")]
    assert kinds == ["keys.rotation.planned", *["keys.rotated"] * 5, "keys.rotation.reported"]
    (report,) = (tmp_path / "reports").glob("*.json.dsse.json")
    sealed = verify_file(report.with_name(report.name.removesuffix(".dsse.json")), after)
    assert sealed.claims["report"] == "key-rotation"
    told = json.loads((tmp_path / "reports" / sealed.name).read_text())
    assert (told["operator"], len(told["rotated"])) == ("alice", 5)
    assert all(key["now"] == "verify-only" for key in told["rotated"])
    (last,) = read_journal(log, after, {"keys.rotation.reported"})
    assert last.body["sha384"] == sealed.sha384
    assert not any(str(key.secret.hex()) in log.read_text() for key in after.epochs)


def test_nothing_signed_yesterday_stops_verifying(keys: Keyring, tmp_path: Path) -> None:
    log, value = tmp_path / "log.jsonl", {"a": 1}
    with Journal.open(log, keys) as journal:
        journal.append("entry", {})
    sealed = seal_payload(value, PayloadType.DOCUMENT, keys)
    token = issue_token(keys, audience="a", subject="al", roles=("op",), ttl_s=3600)
    after = keys
    for round_of in range(3):
        after = rotate(after, tmp_path, *keys.purposes(), days=round_of + 1)
    assert open_payload(sealed, PayloadType.DOCUMENT, after) == value
    assert TokenVerifier(after, audience="a", roles={"op": ("x",)}).verify(token)
    with Journal.open(log, after) as journal:
        journal.append("entry", {})
    assert verify_journal(log, after, strict=True).epochs == 2
    assert verify_journal(tmp_path / "rotation.jsonl", after, strict=True).epochs == 3


def test_a_plan_is_carried_out_once_and_only_while_it_fits(keys: Keyring, tmp_path: Path) -> None:
    plan = plan_rotation(keys, [Purpose.TOKEN])
    rotate(keys, tmp_path, Purpose.TOKEN)
    places = {"log": tmp_path / "rotation.jsonl", "reports": tmp_path / "reports"}
    with pytest.raises(StateError, match="does not fit"):
        rotate_keys(keys, plan, operator="a", reason="b", **places)
    again = Keyring.open(keys.directory)
    assert plan_rotation(again, [Purpose.TOKEN]).id != plan.id
    with pytest.raises(StateError, match="nothing is due"):
        rotate_keys(again, plan_rotation(again, clock=At(2)), operator="a", reason="b", **places)
    with pytest.raises(InputError, match="operator or reason"):
        rotate_keys(again, plan_rotation(again, [Purpose.TOKEN]), operator=" ", reason="", **places)
    with pytest.raises(InputError, match="no vendor key"):
        plan_rotation(keys, [Purpose.VENDOR])


def test_a_rotation_that_a_crash_cut_off_is_written_down_next_time(
    keys: Keyring, tmp_path: Path
) -> None:
    keys.rotate(Purpose.DOCUMENT, At(1))  # the machine stopped before the record was written
    after = rotate(Keyring.open(keys.directory), tmp_path, Purpose.TOKEN, days=2)
    found = [r.body for r in read_journal(tmp_path / "rotation.jsonl", after, {"keys.rotated"})]
    assert [(b["key"], b.get("found", False)) for b in found] == [
        ("document/2", True),
        ("token/2", False),
    ]


def test_revoking_is_on_record_and_never_of_the_active_key(keys: Keyring, tmp_path: Path) -> None:
    log = tmp_path / "rotation.jsonl"
    sealed = seal_payload({"a": 1}, PayloadType.DOCUMENT, keys)
    with pytest.raises(StateError, match="active"):
        revoke_key(keys, "document/1", log=log, operator="a", reason="stolen")
    rotated = rotate(keys, tmp_path, Purpose.DOCUMENT)
    after = revoke_key(rotated, "document/1", log=log, operator="a", reason="stolen")
    with pytest.raises(OemSecurityError):
        open_payload(sealed, PayloadType.DOCUMENT, after)
    assert [r.body["key"] for r in read_journal(log, after, {"keys.revoked"})] == ["document/1"]
    with pytest.raises(InputError, match="no key"):
        revoke_key(after, "document/9", log=log, operator="a", reason="b")


@pytest.mark.parametrize("rule", [(10, 10), (10, 11), (0, 0), (99_999, 1), (10, -1)])
def test_a_rule_without_sense_is_refused(
    keys: Keyring, tmp_path: Path, rule: tuple[int, int]
) -> None:
    words = {"log": tmp_path / "log.jsonl", "operator": "a", "reason": "b"}
    with pytest.raises(InputError, match="cannot be replaced every"):
        set_rule(keys, Purpose.TOKEN, RotationRule(*rule), **words)  # type: ignore[arg-type]
    after = set_rule(keys, Purpose.TOKEN, RotationRule(30, 7), **words)  # type: ignore[arg-type]
    heir = rotate(after, tmp_path, Purpose.TOKEN).active(Purpose.TOKEN)
    assert heir.rule == RotationRule(30, 7)


# attacks


@pytest.mark.parametrize("field", ["id", "kind", "created", "state", "interval_days", "mac"])
def test_keyring_edited_by_hand(keys: Keyring, field: str) -> None:
    path = keys.directory / "keyring.json"
    document = json.loads(path.read_text())
    if field == "id":
        document["id"] = "0123456789abcdef"
    elif field == "kind":
        document["kind"] = "vendor"
    elif field == "mac":
        document["mac"] = "0" * 96
    else:
        other = {"created": "2030-01-01T00:00:00Z", "state": "verify-only", "interval_days": 9999}
        document["keys"][0][field] = other[field]
    path.write_text(json.dumps(document))
    with pytest.raises(KeyringError, match="edited by hand"):
        Keyring.open(keys.directory)


@pytest.mark.parametrize("change", [{"version": 2}, {"version": "1"}, {"version": 0}, "no mac"])
def test_keyring_of_another_format_says_so(keys: Keyring, change: object) -> None:
    path = keys.directory / "keyring.json"
    document = json.loads(path.read_text())
    if isinstance(change, dict):
        document |= change
    else:
        del document["mac"]
    path.write_text(json.dumps(document))
    with pytest.raises(KeyringError, match="another format") as refusal:
        Keyring.open(keys.directory)
    assert "oem init" in refusal.value.remedy


def test_keyring_without_its_mac_or_with_noise(keys: Keyring) -> None:
    path = keys.directory / "keyring.json"
    document = json.loads(path.read_text())
    del document["mac"]
    for damage in (json.dumps(document), "", "{}", "[]", '{"mac":"0"}'):
        path.write_text(damage)
        with pytest.raises(OemSecurityError):
            Keyring.open(keys.directory)


def test_keys_of_two_keyrings_are_not_mixed(keys: Keyring, tmp_path: Path) -> None:
    other = Keyring.create(tmp_path / "other", clock=At())
    path = keys.directory / "keyring.json"
    document, theirs = (
        json.loads((k.directory / "keyring.json").read_text()) for k in (keys, other)
    )
    document["keys"][0] = theirs["keys"][0]
    path.write_text(json.dumps(document))
    with pytest.raises(KeyringError):
        Keyring.open(keys.directory)
    mixed = replace(keys, id=other.id)
    assert mixed._mac() != keys._mac()
