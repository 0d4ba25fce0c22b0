"""Attacks on licences and tokens by their names, and noise where their parsers stand."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    SealError,
    TokenVerifier,
    inspect_token,
    issue_token,
)
from oem_security.anchors.trusted import Anchors, save_anchors
from oem_security.envelope.dsse import seal_bytes
from oem_security.envelope.policy import (
    PayloadType,
    Role,
    envelope_mac,
    site_signers,
    vendor_signers,
)
from oem_security.keys.key import Purpose
from oem_security.keys.keyring import KeyringKind
from oem_security.license.activation import pack_activation, unpack_activation
from oem_security.license.guard import CapabilityGuard
from oem_security.license.install import install_license, note_request
from oem_security.license.opening import open_license
from oem_security.license.otp import support_code
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import read_registry
from oem_security.license.request import read_request
from oem_security.license.revocations import open_revocations
from oem_security.license.terms import Fallback
from oem_security.license.verify import verify_license
from oem_security.strict_json import canonical
from security_licenses import DAY, DEVICE, HOUR, OTHER, T0, At, Trade


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    return Trade.begin(tmp_path)


def runs(trade: Trade, hours: int) -> None:
    """Let the machine run: it looks at its licence every hour."""
    for _ in range(hours):
        trade.verify()
        trade.clock.ns += HOUR


# time


def test_licence_clock_back(trade: Trade) -> None:
    trade.licensed(days=2)
    runs(trade, 48)
    with pytest.raises(LicenseError, match="expired"):
        trade.verify()
    trade.clock.ns = T0 + HOUR
    with pytest.raises(LicenseError, match="it has been"):
        trade.verify()
    trade.clock.ns = T0 - DAY
    with pytest.raises(LicenseError, match="before the licence was issued"):
        trade.verify()


def test_licence_forward_jump_poisoning(trade: Trade) -> None:
    trade.licensed(days=300, list_max_age_days=30)
    runs(trade, 5)
    trade.clock.ns = T0 + 4_000 * DAY
    with pytest.raises(LicenseError):
        trade.verify()
    trade.clock.ns = T0 + 6 * HOUR  # the clock is put right: nothing happened
    trade.verify().require("paper")


def test_licence_forward_jump_that_lasted_is_freed_by_the_vendor(trade: Trade) -> None:
    held = trade.licensed(days=3_660)
    trade.clock.ns = T0 + 1_000 * DAY
    runs(trade, 3)
    trade.clock.ns = T0 + DAY
    with pytest.raises(LicenseError, match="issue the licence again"):
        trade.verify()
    trade.install(trade.renew(held))
    trade.verify().require("paper")


# state


def test_licence_state_deleted(trade: Trade) -> None:
    data = trade.issue(days=2)
    trade.install(data)
    runs(trade, 48)
    trade.paths.state.unlink()
    trade.clock.ns = T0 + HOUR
    with pytest.raises(LicenseError, match="state is gone"):
        trade.verify()
    # installed again, it goes on from what the registry knows, not from the beginning
    trade.clock.ns = T0 + 47 * HOUR
    note_request(trade.ask(), trade.paths, trade.site, clock=trade.clock)
    trade.install(data)
    trade.clock.ns = T0 + HOUR
    with pytest.raises(LicenseError, match="it has been"):
        trade.verify()


def test_licence_state_changed_or_of_another_site(trade: Trade, tmp_path: Path) -> None:
    trade.licensed()
    trade.verify()
    other = trade.elsewhere(tmp_path / "b")
    other.licensed()
    whole = trade.paths.state.read_bytes()
    zeroed = re.sub(rb"floor=\d+", b"floor=0", whole)
    for bad in (other.paths.state.read_bytes(), zeroed, b"{}", b"", whole[:-9]):
        trade.paths.state.write_bytes(bad)
        with pytest.raises(LicenseError, match="state was changed"):
            trade.verify()
    trade.paths.state.write_bytes(whole)
    trade.verify()


def test_licence_state_destroyed_is_freed_by_a_newer_licence_only(trade: Trade) -> None:
    data = trade.issue()
    trade.install(data)
    trade.paths.state.write_bytes(b"noise")
    with pytest.raises(LicenseError, match="state was changed"):
        trade.install(data)
    trade.clock.ns += DAY
    trade.licensed()
    trade.verify().require("paper")


def test_licence_snapshot_restored_is_bounded_by_the_age_of_the_list(trade: Trade) -> None:
    # all put back together cannot be noticed offline, but the vendor's word grows old
    held = trade.licensed(days=300, list_max_age_days=20)
    trade.verify()
    snapshot = trade.paths.folder.with_name("snapshot")
    shutil.copytree(trade.paths.folder, snapshot)
    trade.revoke(held)
    trade.take_list(trade.publish())
    with pytest.raises(LicenseError, match="revoked"):
        trade.verify()
    shutil.rmtree(trade.paths.folder)
    shutil.copytree(snapshot, trade.paths.folder)
    trade.verify()
    trade.clock.ns = T0 + 21 * DAY
    with pytest.raises(LicenseError, match="allows 20 days"):
        trade.verify()


# registry


def test_licence_registry_copied_to_another_machine(trade: Trade, tmp_path: Path) -> None:
    trade.licensed()
    trade.verify()
    # with the site's keys, as one who copies the whole disk: the device is another
    with pytest.raises(LicenseError, match="bound to another device"):
        trade.verify(OTHER)
    # without them: registry, licence and state mean nothing to another site
    other = trade.elsewhere(tmp_path / "b")
    shutil.rmtree(other.paths.folder)
    shutil.copytree(trade.paths.folder, other.paths.folder)
    with pytest.raises(OemSecurityError):
        other.verify(DEVICE)
    with pytest.raises(JournalError):
        read_registry(other.paths.registry, other.site)


def test_licence_registry_changed(trade: Trade) -> None:
    data = trade.issue()
    trade.install(data)
    log = trade.paths.registry
    log.write_bytes(log.read_bytes().replace(b'"paper"', b'"livee"'))
    with pytest.raises(JournalError):
        read_registry(log, trade.site)
    with pytest.raises(JournalError):
        trade.install(data)


# device


def test_licence_fingerprint_spoofed_in_the_licence(trade: Trade) -> None:
    data = trade.issue()
    outer = json.loads(data)
    payload = json.loads(base64.b64decode(outer["payload"]))
    from oem_security import Fingerprint

    payload["fingerprint"] = Fingerprint.of(OTHER).as_json()
    outer["payload"] = base64.b64encode(canonical(payload)).decode()
    with pytest.raises(SealError):
        trade.install(json.dumps(outer).encode())


def test_licence_fingerprint_spoofed_by_copied_parts(trade: Trade) -> None:
    # what can be imitated cheaply does not make up for the machine's own identifier
    trade.licensed()
    for faked in ({"mac"}, {"mac", "disk"}, {"mac", "disk", "cpu"}):
        device = {name: DEVICE[name] if name in faked else OTHER[name] for name in DEVICE}
        if device["disk"] == OTHER["disk"] == DEVICE["disk"]:
            device["disk"] = "d2" if "disk" not in faked else DEVICE["disk"]
        with pytest.raises(LicenseError, match="another device"):
            trade.verify(device)


def test_licence_fingerprint_digests_do_not_tell_a_serial_number(trade: Trade) -> None:
    request = trade.ask({**DEVICE, "disk": "SERIAL-4711"})
    assert b"4711" not in base64.b64decode(json.loads(request)["payload"])


def test_licence_one_time_password_replayed_or_for_other_hardware(trade: Trade) -> None:
    trade.licensed(fallbacks=(Fallback.TOTP,))
    changed = {**DEVICE, "machine_id": "m2"}
    key = envelope_mac(trade.site.active(Purpose.DEVICE))
    code = support_code(key, clock=trade.clock)
    with pytest.raises(FingerprintError, match="wrong, too old, or was used"):
        trade.verify(changed, "00000000")
    assert "accepted by totp" in trade.verify(changed, code).device.words
    trade.verify(changed).require("paper")  # the lease
    with pytest.raises(FingerprintError):
        trade.verify(changed, code)
    with pytest.raises(LicenseError, match="another device"):
        trade.verify({**changed, "cpu": "c3"})
    trade.clock.ns += 73 * HOUR
    with pytest.raises(LicenseError, match="another device"):
        trade.verify(changed)


def test_licence_one_time_password_given_to_two_processes_at_once(trade: Trade) -> None:
    trade.licensed(fallbacks=(Fallback.TOTP,))
    changed = {**DEVICE, "machine_id": "m2"}
    code = support_code(envelope_mac(trade.site.active(Purpose.DEVICE)), clock=trade.clock)

    class Overtaken:
        """The other process takes the password when this one has read its state."""

        def now_ns(self) -> int:
            if not taken:
                taken.append(trade.verify(changed, code))
            return trade.clock.now_ns()

    taken: list[CapabilityGuard] = []
    with pytest.raises(FingerprintError, match="was used already"):
        verify_license(trade.paths, trade.site, changed, clock=Overtaken(), one_time_code=code)
    assert "accepted by totp" in taken[0].device.words


def test_licence_one_time_password_where_the_licence_allows_none(trade: Trade) -> None:
    trade.licensed()
    code = support_code(envelope_mac(trade.site.active(Purpose.DEVICE)), clock=trade.clock)
    with pytest.raises(LicenseError, match="another device"):
        trade.verify(OTHER, code)


# revocation list


def test_licence_revocation_list_withheld(trade: Trade) -> None:
    held = trade.licensed(days=300, list_max_age_days=30)
    trade.revoke(held)
    trade.publish()  # the site is never shown it
    trade.clock.ns = T0 + 30 * DAY
    trade.verify()
    trade.clock.ns += HOUR
    with pytest.raises(LicenseError, match="allows 30 days"):
        trade.verify()


def test_licence_revocation_list_deleted(trade: Trade) -> None:
    trade.licensed()
    trade.take_list(trade.publish())
    trade.verify()
    trade.paths.revocations.unlink()
    with pytest.raises(InputError, match="revocation list"):
        trade.verify()


def test_licence_revocation_list_rolled_back(trade: Trade) -> None:
    held = trade.licensed()
    first = trade.publish()
    trade.take_list(first)
    trade.revoke(held)
    trade.take_list(trade.publish())
    with pytest.raises(LicenseError, match="2 was held already"):
        trade.take_list(first)
    trade.paths.revocations.write_bytes(first)
    with pytest.raises(LicenseError, match="2 was held already"):
        trade.verify()


def test_licence_two_lists_of_one_number(trade: Trade, tmp_path: Path) -> None:
    trade.licensed()
    first = trade.publish()
    trade.take_list(first)
    trade.take_list(first)
    trade.clock.ns += DAY
    second = replace(trade, registry=tmp_path / "second.jsonl").publish()
    with pytest.raises(LicenseError, match="another list of number 1"):
        trade.take_list(second)


# replay


def test_licence_response_replayed(trade: Trade) -> None:
    wide = trade.issue(features=("paper", "live"))
    trade.install(wide)
    trade.clock.ns += DAY
    trade.licensed(features=("paper",))
    with pytest.raises(LicenseError, match="before the one installed"):
        trade.install(wide)
    trade.paths.license.write_bytes(wide)  # put there without installing it
    with pytest.raises(LicenseError, match="newer licence"):
        trade.verify()
    trade.paths.state.unlink()  # and the state deleted: the registry knows it too
    with pytest.raises(LicenseError, match="before the one installed"):
        trade.install(wide)


def test_licence_request_replayed(trade: Trade) -> None:
    request = trade.ask()
    trade.issue(request)
    with pytest.raises(LicenseError, match="answered already"):
        trade.issue(request)


def test_licence_activation_of_another_site(trade: Trade, tmp_path: Path) -> None:
    text = pack_activation(trade.issue())
    with pytest.raises(SealError):
        trade.elsewhere(tmp_path / "b").install(unpack_activation(text))


# trust


def test_licence_trust_anchor_swapped_by_the_user(trade: Trade, tmp_path: Path) -> None:
    trade.licensed()
    forger = Trade.begin(tmp_path / "forger")
    mine = replace(trade, vendor=forger.vendor, registry=forger.registry)
    forged = mine.issue(features=("paper", "live"))
    whole = trade.paths.anchors.read_bytes()
    # the forger's own anchors file, copied
    trade.paths.anchors.write_bytes(forger.paths.anchors.read_bytes())
    with pytest.raises(SealError):
        trade.verify()
    # sealed by the site's own keys, around the function that refuses to
    save_anchors(trade.paths.anchors, Anchors.of(forger.vendor), trade.site)
    with pytest.raises(SealError):
        trade.verify()
    with pytest.raises(LicenseError, match="another vendor's keys stand in its place"):
        trade.install(forged)
    trade.paths.anchors.write_bytes(whole)
    trade.verify().require("paper")


def test_licence_signed_by_the_site_in_the_vendors_place(trade: Trade) -> None:
    held = trade.licensed()
    own = canonical(replace(held, terms=replace(held.terms, features=("live",))).as_payload())
    mac = {Role.DEVICE_MAC: envelope_mac(trade.site.active(Purpose.DEVICE))}
    for role in (Role.VENDOR_SIGN,):
        signers = {**mac, role: site_signers(trade.site)[Role.SITE_SIGN]}
        with pytest.raises(SealError):
            trade.install(seal_bytes(own, PayloadType.LICENSE, signers))


def test_licence_of_a_vendor_who_does_not_know_the_site(trade: Trade, tmp_path: Path) -> None:
    # signed by the right vendor, authenticated by a key that is not this site's
    other = trade.elsewhere(tmp_path / "b")
    with pytest.raises(SealError):
        trade.install(other.issue())


# token


def test_token_of_one_device_copied_to_another(trade: Trade) -> None:
    token = issue_token(
        trade.site, audience="d", subject="s", roles=["op"], ttl_s=60, device="this"
    )
    for device in ("", "that"):
        with pytest.raises(OemSecurityError, match="another device"):
            TokenVerifier(trade.site, roles={"op": ["x"]}, audience="d", device=device).verify(
                token
            )


# noise: an error of this library or success, nothing else

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12)
    | st.sampled_from(["", "lic-0000000000000000", "9999-12-31T23:59:59Z", "00"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Trade:
    made = Trade.begin(tmp_path_factory.mktemp("world"))
    made.licensed(
        features=("paper", "live"), trial_features=("x",), trial_days=3, grace_days=2,
        list_max_age_days=9, fallbacks=(Fallback.TOTP,), maintenance_days=4, seats=2,
    )  # fmt: skip
    made.take_list(made.publish())
    return made


def changed(payload: dict[str, Any], data: st.DataObject) -> bytes:
    """Return a payload with one thing changed, anywhere in it, in its canonical form."""
    where: Any = payload
    while True:
        key = data.draw(st.sampled_from(sorted(where) or ["new"]) | st.just("new"))
        inner = where.get(key)
        if not (isinstance(inner, dict) and inner and data.draw(st.booleans())):
            break
        where = inner
    if data.draw(st.booleans()):
        where[key] = data.draw(JSON)
    else:
        where.pop(key, None)
    return canonical(payload)


def survives(parse: Callable[[], object]) -> None:
    with contextlib.suppress(OemSecurityError):
        parse()


@given(st.data())
def test_fuzz_of_a_licence_that_is_signed_by_everybody(world: Trade, data: st.DataObject) -> None:
    payload = json.loads(base64.b64decode(json.loads(world.paths.license.read_bytes())["payload"]))
    mac = {Role.DEVICE_MAC: envelope_mac(world.site.active(Purpose.DEVICE))}
    sealed = seal_bytes(
        changed(payload, data), PayloadType.LICENSE, {**vendor_signers(world.vendor), **mac}
    )
    vendor = Anchors.of(world.vendor).vendor
    survives(lambda: open_license(sealed, vendor, world.site))
    survives(lambda: unpack_activation(pack_activation(sealed)))


@given(st.data())
def test_fuzz_of_a_request_that_proves_its_keys(world: Trade, data: st.DataObject) -> None:
    payload = json.loads(base64.b64decode(json.loads(world.ask())["payload"]))
    signers = {
        Role.SITE_SIGN: site_signers(world.site)[Role.SITE_SIGN],
        Role.DEVICE_MAC: envelope_mac(world.site.active(Purpose.DEVICE)),
    }
    sealed = seal_bytes(changed(payload, data), PayloadType.LICENSE_REQUEST, signers)
    survives(lambda: read_request(sealed, world.vendor))


@given(st.data())
def test_fuzz_of_a_revocation_list_that_is_signed(world: Trade, data: st.DataObject) -> None:
    entry = {"license_id": "lic-" + "0" * 16, "revision": 1, "reason": "x"}
    payload = {"number": 1, "issued": "2027-01-01T00:00:00Z", "licenses": [entry]}
    sealed = seal_bytes(
        changed(payload, data), PayloadType.REVOCATIONS, vendor_signers(world.vendor)
    )
    survives(lambda: open_revocations(sealed, Anchors.of(world.vendor).vendor))


@given(st.data())
def test_fuzz_of_a_token_that_is_authentic(world: Trade, data: st.DataObject) -> None:
    token = issue_token(world.site, audience="a", subject="s", roles=["op"], ttl_s=60)
    body = token.split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    head = f"v1.{base64.urlsafe_b64encode(changed(payload, data)).rstrip(b'=').decode()}"
    mac = world.site.active(Purpose.TOKEN).mac_key("token").sign(head.encode())
    text = f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    verifier = TokenVerifier(world.site, roles={"op": ["x"]}, audience="a")
    survives(lambda: verifier.require(text, "x"))
    survives(lambda: inspect_token(text))


@given(st.data())
def test_fuzz_of_bytes_changed_anywhere(world: Trade, data: st.DataObject) -> None:
    licence, request = world.paths.license.read_bytes(), world.ask()
    for whole, parse in (
        (licence, lambda b: install_license(b, world.paths, world.site, clock=world.clock)),
        (request, lambda b: read_request(b, world.vendor)),
        (world.paths.revocations.read_bytes(), world.take_list),
    ):
        bad = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 3))):
            bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
        if bytes(bad) != whole:
            with pytest.raises(OemSecurityError):
                parse(bytes(bad))


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_fuzz_of_noise(world: Trade, noise: bytes) -> None:
    keys = world.site
    for parse in (
        lambda: install_license(noise, world.paths, keys),
        lambda: read_request(noise, world.vendor),
        lambda: world.take_list(noise),
        lambda: inspect_token(noise.decode("utf-8", "replace")),
    ):
        with pytest.raises(OemSecurityError):
            parse()


def test_keys_of_the_wrong_kind_are_an_error_too(tmp_path: Path) -> None:
    site = Keyring.create(tmp_path / "keys", KeyringKind.SITE)
    with pytest.raises(OemSecurityError):
        Anchors.of(site)
    with pytest.raises(OemSecurityError):
        read_request(b"{}", site)
    assert At().now_ns() == T0
    assert not LicensePaths(tmp_path).license.exists()
