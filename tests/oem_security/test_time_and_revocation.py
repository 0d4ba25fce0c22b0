"""Licence: clock back, forward-jump poisoning, state changed. Token: replay after revocation."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security import (
    FingerprintError,
    InputError,
    JournalError,
    Keyring,
    LicenseError,
    OemSecurityError,
    RevokedTokens,
    TokenError,
    TokenVerifier,
    accept_totp,
    hotp,
    inspect_token,
    issue_token,
    revoke_token,
    totp,
)
from oem_security.license.state import Lease, LicenseState, read_state, write_state
from oem_security.time_floor import TimeFloor

S = 1_000_000_000
HOUR, DAY = 3_600 * S, 86_400 * S
T0 = 1_790_000_000 * S


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def run_for(floor: TimeFloor, start: int, hours: int) -> TimeFloor:
    for hour in range(hours):
        floor = floor.seen(start + hour * HOUR)
    return floor


def test_clock_back() -> None:
    floor = run_for(TimeFloor().signed(T0), T0, 200)
    with pytest.raises(LicenseError, match="it has been"):
        floor.seen(T0 + 100 * HOUR)
    floor.seen(T0 + 199 * HOUR)
    with pytest.raises(LicenseError):
        TimeFloor().signed(T0).seen(T0 - DAY)


def test_forward_jump_poisoning() -> None:
    floor = run_for(TimeFloor().signed(T0), T0, 24)
    jumped = floor.seen(T0 + 10_000 * DAY)
    back = jumped.seen(T0 + 24 * HOUR)  # put right: nothing happened
    assert back.floor_ns < T0 + 25 * HOUR
    assert run_for(back, T0 + 25 * HOUR, 50).floor_ns < T0 + 80 * HOUR


def test_a_newer_licence_frees_a_site_whose_clock_was_wrong_for_long() -> None:
    floor = run_for(TimeFloor().signed(T0), T0 + 10_000 * DAY, 5)
    with pytest.raises(LicenseError, match="issue the licence again"):
        floor.seen(T0 + DAY)
    freed = floor.signed(T0 + 2 * DAY).seen(T0 + 2 * DAY + HOUR)
    assert freed.floor_ns == T0 + 2 * DAY
    assert freed.signed(T0) == freed  # an older one takes nothing back


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_the_floor_never_passes_what_the_clock_confirmed(hours: list[int]) -> None:
    floor, highest = TimeFloor(), 0
    for hour in hours:
        try:
            floor = floor.seen(T0 + hour * HOUR)
        except LicenseError:
            continue
        highest = max(highest, T0 + hour * HOUR)
        assert floor.floor_ns <= highest - HOUR or floor.floor_ns == 0


def test_state_changed(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "state"
    assert read_state(path, keys) is None
    state = LicenseState(TimeFloor(T0, T0, T0), issued_ns=T0, list_number=3)
    write_state(path, keys, state)
    assert read_state(path, keys) == state
    path.write_bytes(path.read_bytes().replace(b"179", b"178"))
    with pytest.raises(LicenseError, match="changed"):
        read_state(path, keys)


def test_what_two_processes_learn_at_once_is_not_lost() -> None:
    mine = LicenseState(TimeFloor(T0 + HOUR, T0 + DAY, T0), issued_ns=T0, lease=Lease(step=7))
    theirs = LicenseState(
        TimeFloor(T0, T0, T0), issued_ns=T0 + S, revision=2, list_number=3, list_sha384="ab"
    )
    for joined in (mine.joined(theirs), theirs.joined(mine)):
        assert (joined.issued_ns, joined.revision) == (T0 + S, 2)
        assert (joined.list_number, joined.list_sha384) == (3, "ab")
        assert (joined.time.floor_ns, joined.lease.step) == (T0 + HOUR, 7)
    newer = LicenseState(TimeFloor(T0, 0, T0 + S))  # a newer word of the vendor lowers a floor
    assert mine.joined(newer).time == newer.joined(mine).time == newer.time


@given(st.binary(max_size=80))
def test_noise_is_never_a_licence_state(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    (folder / "state").write_bytes(data)
    with pytest.raises(OemSecurityError):
        read_state(folder / "state", Keyring.create(folder / "keys"))


def test_replay_after_revocation(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "revoked.jsonl"
    revoked = RevokedTokens(log, keys)
    verifier = TokenVerifier(keys, roles={"op": ["x"]}, audience="a", revoked=revoked)
    tokens = [issue_token(keys, audience="a", subject=s, roles=["op"], ttl_s=60) for s in "ab"]
    assert [verifier.require(t, "x").subject for t in tokens] == ["a", "b"]
    first = inspect_token(tokens[0]).token_id
    revoke_token(log, keys, first, operator="alice", reason="lost laptop")
    with pytest.raises(TokenError, match="revoked"):
        verifier.require(tokens[0], "x")
    assert verifier.require(tokens[1], "x").subject == "b"
    assert list(revoked) == [first]


def test_revocations_that_do_not_hold_grant_nothing(tmp_path: Path, keys: Keyring) -> None:
    log = tmp_path / "revoked.jsonl"
    verifier = TokenVerifier(
        keys, roles={"op": ["x"]}, audience="a", revoked=RevokedTokens(log, keys)
    )
    token = issue_token(keys, audience="a", subject="s", roles=["op"], ttl_s=60)
    revoke_token(log, keys, "0" * 24, operator="alice", reason="test")
    verifier.require(token, "x")
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b"0" * 24, b"1" * 24))
    with pytest.raises(JournalError):
        verifier.require(token, "x")
    log.write_bytes(whole)
    verifier.require(token, "x")
    log.unlink()
    with pytest.raises(OemSecurityError, match="gone"):
        verifier.require(token, "x")


@pytest.mark.parametrize(
    ("token_id", "operator", "reason"),
    [("zz", "a", "b"), ("0" * 24, " ", "b"), ("0" * 24, "a", "")],
)
def test_a_revocation_needs_who_and_why(
    tmp_path: Path, keys: Keyring, token_id: str, operator: str, reason: str
) -> None:
    with pytest.raises(InputError):
        revoke_token(tmp_path / "log", keys, token_id, operator=operator, reason=reason)


def test_a_token_bound_to_a_device_is_worthless_on_another(keys: Keyring) -> None:
    token = issue_token(keys, audience="a", subject="s", roles=["op"], ttl_s=60, device="this")
    here = TokenVerifier(keys, roles={"op": ["x"]}, audience="a", device="this")
    there = TokenVerifier(keys, roles={"op": ["x"]}, audience="a", device="that")
    assert here.require(token, "x")
    with pytest.raises(TokenError, match="another device"):
        there.require(token, "x")


def test_a_one_time_password_is_for_one_time() -> None:
    secret = b"0123456789abcdef"
    code = totp(secret, 1_000)
    step = accept_totp(secret, code, 1_010)
    with pytest.raises(FingerprintError, match="used already"):
        accept_totp(secret, code, 1_010, last_step=step)
    with pytest.raises(FingerprintError):
        accept_totp(secret, code, 1_200)
    for wrong in ("", "000000x", "żółw"):
        with pytest.raises(FingerprintError):
            accept_totp(secret, wrong, 1_010)
    for bad in (
        lambda: hotp(b"short", 0),
        lambda: hotp(secret, -1),
        lambda: hotp(secret, 0, digits=9),
    ):
        with pytest.raises(InputError):
            bad()
