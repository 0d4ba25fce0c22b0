"""A licence from its issue to its end: renewed, bound anew, revoked, on trial, in grace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oem_security import (
    InputError,
    Journal,
    Keyring,
    LicenseError,
    OemSecurityError,
    SealError,
    read_journal,
)
from oem_security.license.guard import Standing, Trust
from oem_security.license.install import self_sign_license
from oem_security.license.issue import renew_license
from oem_security.license.opening import installed_license
from oem_security.license.registry import read_registry
from oem_security.license.seats import seats_taken, take_seat
from oem_security.license.terms import License, LicenseTerms
from security_licenses import DAY, DEVICE, HOUR, OTHER, T0, Trade


@pytest.fixture
def trade(tmp_path: Path) -> Trade:
    return Trade.begin(tmp_path)


def test_every_term_goes_into_the_licence_and_comes_out(trade: Trade) -> None:
    wanted = LicenseTerms(
        "pro", ("paper", "live"), 100, "2.1", "acme", 7, 3, 50, ("stress",), 5, 20
    )
    names = LicenseTerms.__dataclass_fields__
    held = trade.licensed(**{name: getattr(wanted, name) for name in names})
    assert held.terms == wanted
    assert (held.not_after_ns, held.ends_ns) == (T0 + 100 * DAY, T0 + 107 * DAY)
    assert (held.trial_until_ns, held.maintenance_until_ns) == (T0 + 5 * DAY, T0 + 50 * DAY)
    assert installed_license(trade.paths, trade.site) == held


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": ()},
        {"features": ("Live",)},
        {"features": ("live", "live")},
        {"profile": ""},
        {"grace_days": 91},
        {"seats": 0},
        {"trial_days": 3},
        {"trial_features": ("x",)},
        {"trial_features": ("paper",), "trial_days": 2},
        {"trial_features": ("x",), "trial_days": 31},
        {"list_max_age_days": -1},
        {"issuer": "x" * 65},
    ],
)
def test_unsound_terms_are_refused_before_anything_is_written(
    trade: Trade, wrong: dict[str, object]
) -> None:
    with pytest.raises(LicenseError) as caught:
        trade.issue(**wrong)
    assert caught.value.remedy
    kinds = [r.kind for r in read_journal(trade.registry, trade.vendor)]
    assert not [kind for kind in kinds if kind.startswith("license")]


def test_a_feature_granted_twice_is_named(trade: Trade) -> None:
    with pytest.raises(LicenseError, match="on trial and for good: live"):
        trade.issue(features=("live", "paper"), trial_features=("live",), trial_days=2)


def test_a_capability_ends_with_the_licence_while_the_process_runs(trade: Trade) -> None:
    trade.licensed(features=("paper", "live"))
    guard = trade.verify()
    guard.require("live")
    trade.clock.ns += 30 * DAY
    with pytest.raises(LicenseError, match="expired"):
        guard.require("live")


def test_grace_grants_everything_with_a_warning_and_ends(trade: Trade) -> None:
    trade.licensed(grace_days=10)
    assert trade.verify().standing is Standing.VALID
    trade.clock.ns = T0 + 31 * DAY
    guard = trade.verify()
    guard.require("paper")
    assert guard.standing is Standing.GRACE
    assert "grace ends" in " ".join(guard.warnings)
    trade.clock.ns = T0 + 40 * DAY
    with pytest.raises(LicenseError, match="expired"):
        trade.verify()
    with pytest.raises(LicenseError, match="expired"):
        guard.require("paper")


def test_an_operator_is_warned_before_the_end_and_before_the_list_is_too_old(
    trade: Trade,
) -> None:
    trade.licensed(days=100, list_max_age_days=40)
    assert trade.verify().warnings == ()
    trade.clock.ns = T0 + 30 * DAY
    assert "30 of 40 days old" in " ".join(trade.verify().warnings)
    trade.take_list(trade.publish())
    assert trade.verify().warnings == ()
    trade.clock.ns = T0 + 70 * DAY
    assert "the licence ends at" in trade.verify().warnings[0]
    changed = trade.verify({**DEVICE, "mac": "new card"}).warnings
    assert "device degraded (changed: mac)" in changed


def test_a_list_installed_while_another_process_verifies_is_not_forgotten(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oem_security.license import verify as module

    held = trade.licensed()
    trade.verify()
    trade.revoke(held)
    data, real = trade.publish(), module.compare

    def meanwhile(*args: Any, **more: Any) -> Any:
        trade.take_list(data)  # between this verification's reading and its writing
        return real(*args, **more)

    trade.clock.ns += 3 * HOUR
    monkeypatch.setattr(module, "compare", meanwhile)
    trade.verify()
    monkeypatch.undo()
    first = trade.paths.revocations.read_bytes()
    assert first == data
    with pytest.raises(LicenseError, match="revoked"):
        trade.verify()


def test_a_trial_grants_until_its_day(trade: Trade) -> None:
    trade.licensed(trial_features=("live",), trial_days=14)
    guard = trade.verify()
    guard.require("live")
    assert (guard.standing, guard.features) == (Standing.TRIAL, ("paper", "live"))
    trade.clock.ns = T0 + 14 * DAY
    with pytest.raises(LicenseError, match="trial of 'live' ended"):
        guard.require("live")
    assert trade.verify().features == ("paper",)
    trade.verify().require("paper")


def test_maintenance_ends_for_bundles_and_not_for_the_licence(trade: Trade) -> None:
    trade.licensed(maintenance_days=10, days=300)
    trade.clock.ns = T0 + 100 * DAY
    guard = trade.verify()
    guard.require_bundle(T0 + 10 * DAY)
    with pytest.raises(LicenseError, match="maintenance ended"):
        guard.require_bundle(T0 + 11 * DAY)


def test_seats_are_counted_and_come_back_when_a_process_ends(tmp_path: Path) -> None:
    with take_seat(tmp_path, 2) as first, take_seat(tmp_path, 2) as second:
        assert {first.number, second.number} == {1, 2}
        assert seats_taken(tmp_path, 2) == (1, 2)
        with pytest.raises(LicenseError, match="all 2 seats"):
            take_seat(tmp_path, 2)
        take_seat(tmp_path, 3).leave()
    assert seats_taken(tmp_path, 2) == ()


def test_a_renewal_keeps_the_licence_and_replaces_its_dates(trade: Trade) -> None:
    held = trade.licensed(trial_features=("live",), trial_days=2, seats=4)
    trade.clock.ns += 20 * DAY
    after = trade.install(trade.renew(held))
    assert (after.license_id, after.revision) == (held.license_id, 2)
    assert after.not_after_ns == T0 + 50 * DAY
    assert (after.terms.seats, after.terms.trial_features) == (4, ())
    wider = replace(after.terms, features=("paper", "live"))
    assert trade.install(trade.renew(after, terms=wider)).terms.features == ("paper", "live")
    trade.verify().require("live")


def test_a_renewal_is_for_the_same_device(trade: Trade) -> None:
    held = trade.licensed()
    trade.renew(held, {**DEVICE, "mac": "new card"})
    with pytest.raises(LicenseError, match="another device"):
        trade.renew(held, OTHER)
    salted = trade.ask(DEVICE, held.license_id)  # a salt of its own tells nothing
    with pytest.raises(LicenseError, match="another device"):
        trade.answered(renew_license, trade.read(salted), approved_by="anna", days=3)


def test_rebinding_moves_the_licence_and_ends_the_old_device(trade: Trade) -> None:
    held = trade.licensed(list_max_age_days=60, days=90)
    trade.clock.ns += 10 * DAY
    moved = trade.rebind(held)
    assert trade.take_list(trade.publish()) == 1
    with pytest.raises(LicenseError, match="revoked: bound to another device: new board"):
        trade.verify(DEVICE)
    after = trade.install(moved)
    assert (after.license_id, after.revision) == (held.license_id, 2)
    assert after.not_after_ns == held.not_after_ns
    trade.verify(OTHER).require("paper")
    with pytest.raises(LicenseError, match="another device"):
        trade.verify(DEVICE)


def test_a_revoked_licence_ends_with_the_next_list_and_is_not_renewed(trade: Trade) -> None:
    held = trade.licensed()
    trade.revoke(held)
    trade.verify().require("paper")  # the site cannot know yet
    trade.take_list(trade.publish())
    with pytest.raises(LicenseError, match="revoked: not paid"):
        trade.verify()
    for again in (
        lambda: trade.renew(held),
        lambda: trade.rebind(held),
        lambda: trade.revoke(held),
    ):
        with pytest.raises(LicenseError, match="revoked"):
            again()
    fresh = trade.licensed()
    assert fresh.license_id != held.license_id
    trade.verify().require("paper")


def test_what_was_never_issued_is_neither_renewed_nor_revoked(trade: Trade, tmp_path: Path) -> None:
    unknown = replace(trade.licensed(), license_id="lic-" + "0" * 16)
    for wrong in (lambda: trade.renew(unknown), lambda: trade.revoke(unknown)):
        with pytest.raises(LicenseError, match="never issued"):
            wrong()
    held = trade.licensed()
    with pytest.raises(LicenseError, match="another site"):
        trade.elsewhere(tmp_path / "b").renew(held)
    with pytest.raises(LicenseError, match="asks to replace"):
        trade.issue(trade.ask(replaces=held.license_id))
    with pytest.raises(LicenseError, match="names no licence"):
        trade.answered(renew_license, trade.read(trade.ask()), approved_by="anna", days=3)


def test_the_registry_says_what_happened(trade: Trade) -> None:
    held = trade.licensed()
    after = trade.install(trade.renew(held))
    trade.revoke(after)
    trade.publish()
    vendors = read_registry(trade.registry, trade.vendor)
    assert vendors.issued[held.license_id] == after
    assert vendors.revoked[held.license_id].revision == 2
    assert (vendors.list_number, len(vendors.nonces)) == (1, 2)
    sites = read_registry(trade.paths.registry, trade.site)
    assert [i[:2] for i in sites.installed] == [(held.license_id, 1), (held.license_id, 2)]
    assert sites.vendor.startswith("ed25519:")


def records(trade: Trade) -> list[tuple[str, dict[str, object]]]:
    held = trade.licensed()
    body = {"license": replace(held, nonce="1" * 32).as_payload()}
    approval = {"nonce": "1" * 32, "approved_by": "anna"}
    again = {"license": replace(held, revision=5, nonce="1" * 32).as_payload()}
    elsewhere = {"license": replace(held, site="0" * 16, revision=2, nonce="1" * 32).as_payload()}
    gone = {"license_id": held.license_id, "revision": 9, "reason": "x", "approved_by": "a"}
    never = {**gone, "license_id": "lic-" + "0" * 16}
    ok = [("license.approved", approval), ("license.issued", body)]
    return [
        [("license.issued", body)],
        [("license.approved", {**approval, "approved_by": " "})],
        [*ok, ("license.approved", approval)],
        [("license.approved", approval), ("license.issued", again)],
        [*ok, ("license.approved", {**approval, "nonce": "2" * 32}), ("license.issued", elsewhere)],
        [*ok, ("license.revoked", gone), ("license.approved", {**approval, "nonce": "2" * 32}),
         ("license.issued", {"license": replace(held, revision=2, nonce="2" * 32).as_payload()})],
        [("license.revoked", never)],
        [("revocations.published", {"number": 2}), ("revocations.published", {"number": 2})],
        [("vendor.trusted", {"vendor": "a"}), ("vendor.trusted", {"vendor": "b"})],
        [("vendor.rolled", {"from": "a", "to": "b"})],
        [("license.bought", {})],
        [("license.issued", {"license": 3})],
    ]  # type: ignore[return-value]  # fmt: skip


@pytest.mark.parametrize("case", range(12))
def test_a_registry_that_makes_no_sense_is_refused_though_it_is_sealed(
    trade: Trade, tmp_path: Path, case: int
) -> None:
    path = tmp_path / "odd.jsonl"
    with Journal.open(path, trade.vendor) as journal:
        for kind, body in records(trade)[case]:  # type: ignore[misc]
            journal.append(kind, body)  # type: ignore[has-type]
    with pytest.raises(LicenseError, match="makes no sense") as caught:
        read_registry(path, trade.vendor)
    assert str(path) in caught.value.where


def test_without_a_vendor_a_site_signs_for_itself_and_every_verdict_says_so(
    trade: Trade,
) -> None:
    from oem_security import Fingerprint

    def own(features: tuple[str, ...] = ("paper",), days: int = 30, operator: str = "eve") -> bytes:
        return self_sign_license(
            trade.site, Fingerprint.of(DEVICE), features=features, days=days,
            operator=operator, clock=trade.clock,
        )  # fmt: skip

    for wrong in ({"features": ("live",)}, {"days": 91}, {"operator": " "}):
        with pytest.raises(LicenseError):
            own(**wrong)  # type: ignore[arg-type]
    trade.install(own())
    guard = trade.verify()
    assert guard.trust is Trust.SELF_SIGNED
    assert "self-signed" in " ".join(guard.warnings)
    guard.require("paper")
    with pytest.raises(LicenseError):
        guard.require("live")
    trade.clock.ns += DAY
    trade.licensed()
    assert trade.verify().trust is Trust.VENDOR


def test_a_self_signed_licence_that_grants_more_is_refused(trade: Trade) -> None:
    # sealed by hand with the site's own keys, around the function that refuses to
    from oem_security.envelope.dsse import seal_bytes
    from oem_security.envelope.policy import PayloadType, Role, envelope_mac
    from oem_security.keys.key import Algorithm, PrivateSigner, Purpose
    from oem_security.strict_json import canonical

    held: License = trade.licensed()
    wide = held.granted(replace(held.terms, features=("live",)), T0 + DAY)
    data = seal_bytes(
        canonical(wide.as_payload()),
        PayloadType.LOCAL_LICENSE,
        {
            Role.SITE_SIGN: PrivateSigner.of(
                trade.site.active(Purpose.DOCUMENT), Algorithm.ED25519
            ),
            Role.DEVICE_MAC: envelope_mac(trade.site.active(Purpose.DEVICE)),
        },
    )
    with pytest.raises(LicenseError, match="may not grant itself"):
        trade.install(data)
    trade.paths.license.write_bytes(data)  # put there without installing it
    trade.clock.ns += 2 * DAY
    with pytest.raises(LicenseError, match="may not grant itself"):
        trade.verify()


def test_a_vendor_is_trusted_once(trade: Trade, tmp_path: Path) -> None:
    from oem_security.anchors.trusted import Anchors
    from oem_security.keys.keyring import KeyringKind
    from oem_security.license.install import trust_vendor

    trust_vendor(trade.paths, Anchors.of(trade.vendor), trade.site)
    other = Anchors.of(Keyring.create(tmp_path / "other", KeyringKind.VENDOR))
    for _ in range(2):
        with pytest.raises(LicenseError, match="this site trust"):
            trust_vendor(trade.paths, other, trade.site)
        trade.paths.anchors.unlink(missing_ok=True)


def test_a_list_of_another_vendor_or_a_licence_as_a_list_is_refused(
    trade: Trade, tmp_path: Path
) -> None:
    stranger = Trade.begin(tmp_path / "stranger")
    with pytest.raises(SealError):
        trade.take_list(stranger.publish())
    with pytest.raises(OemSecurityError):
        trade.take_list(trade.issue())
    with pytest.raises(InputError):
        trade.verify()


@pytest.mark.parametrize(
    "terms",
    [
        {"features": tuple(f"f{n}" for n in range(300))},
        {"days": 1.5},
        {"days": True},
        {"fallbacks": ("totp",)},
        {"issuer": "\ud800"},
    ],
)
def test_what_could_not_be_read_back_is_never_issued(
    trade: Trade, terms: dict[str, object]
) -> None:
    with pytest.raises(OemSecurityError):
        trade.issue(**terms)
    held = trade.licensed()  # the registry is as readable as before
    with pytest.raises(LicenseError, match="shorten"):
        trade.revoke(held, "x" * 2000)
    with pytest.raises(LicenseError, match="shorten"):
        trade.renew(held, approved_by="x" * 2000)
    trade.install(trade.renew(held))
