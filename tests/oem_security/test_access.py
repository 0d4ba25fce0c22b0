"""Licences, tokens, fingerprints and certificates: what they grant, and what is refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from oem_security import (
    CertificateAuthority,
    CertificateError,
    Fingerprint,
    FingerprintError,
    InputError,
    Journal,
    Keyring,
    KeyringKind,
    LicenseError,
    LicenseTerms,
    Match,
    OemSecurityError,
    PeerCheck,
    StateError,
    TokenError,
    TokenVerifier,
    accept_totp,
    client_context,
    compare,
    create_request,
    inspect_token,
    install_license,
    issue_license,
    issue_token,
    load_fingerprint,
    probe_device,
    read_journal,
    save_fingerprint,
    server_context,
    verify_license,
)
from oem_security.anchors.trusted import Anchors
from oem_security.fingerprint.fingerprint import default_probes
from oem_security.license.install import trust_vendor
from oem_security.license.paths import LicensePaths
from oem_security.license.request import read_request

DEVICE = {"machine_id": "m1", "cpu": "c1", "mac": "a1", "disk": "d1"}
DAY = 86_400 * 10**9


@dataclass
class At:
    """A clock that stands where the test puts it."""

    ns: int = 1_800_000_000 * 10**9

    def now_ns(self) -> int:
        return self.ns


@dataclass
class Parties:
    site: Keyring
    vendor: Keyring
    paths: LicensePaths
    registry: Path
    clock: At

    def request(self) -> bytes:
        return create_request(
            self.site,
            Fingerprint.of(DEVICE),
            Anchors.of(self.vendor),
            features=("paper",),
            clock=self.clock,
        )

    def issue(self, **terms: object) -> bytes:
        wanted = LicenseTerms(**{"profile": "paper", "features": ("paper",), "days": 30, **terms})
        with Journal.open(self.registry, self.vendor) as registry:
            return issue_license(
                read_request(self.request(), self.vendor),
                wanted,
                self.vendor,
                registry,
                approved_by="anna",
                clock=self.clock,
            )


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    site = Keyring.create(tmp_path / "keys")
    vendor = Keyring.create(tmp_path / "vendor", KeyringKind.VENDOR)
    paths = LicensePaths(tmp_path / "licenses")
    paths.folder.mkdir()
    trust_vendor(paths, Anchors.of(vendor), site)
    return Parties(site, vendor, paths, tmp_path / "vendor-registry.jsonl", At())


def test_a_licence_goes_the_whole_way_and_grants_what_it_names(parties: Parties) -> None:
    install_license(parties.issue(), parties.paths, parties.site)
    guard = verify_license(parties.paths, parties.site, DEVICE, clock=parties.clock)
    guard.require("paper")
    with pytest.raises(LicenseError, match="does not grant 'live'"):
        guard.require("live")
    kinds = [r.kind for r in read_journal(parties.paths.registry, parties.site)]
    assert "license.installed" in kinds
    kinds = [r.kind for r in read_journal(parties.registry, parties.vendor)]
    assert [k for k in kinds if k.startswith("license")] == ["license.approved", "license.issued"]


@pytest.mark.parametrize(
    ("shift", "device", "message"),
    [
        (30 * DAY, DEVICE, "expired"),
        (-DAY, DEVICE, "before the licence was issued"),
        (0, {**DEVICE, "machine_id": "m2", "cpu": "c2"}, "another device"),
    ],
)
def test_a_licence_out_of_time_or_place_is_refused(
    parties: Parties, shift: int, device: dict[str, str], message: str
) -> None:
    install_license(parties.issue(), parties.paths, parties.site)
    with pytest.raises(LicenseError, match=message):
        verify_license(parties.paths, parties.site, device, clock=At(parties.clock.ns + shift))


def test_without_a_licence_the_remedy_is_named(parties: Parties) -> None:
    with pytest.raises(InputError, match="oem license install"):
        verify_license(parties.paths, parties.site, DEVICE)


def test_a_licence_of_another_vendor_or_for_another_site_is_refused(
    parties: Parties, tmp_path: Path
) -> None:
    forger = Keyring.create(tmp_path / "forger", KeyringKind.VENDOR)
    forged = replace(parties, vendor=forger, registry=tmp_path / "forged.jsonl").issue()
    with pytest.raises(OemSecurityError):
        install_license(forged, parties.paths, parties.site)
    other = replace(parties, site=Keyring.create(tmp_path / "other"))
    with pytest.raises(OemSecurityError):
        install_license(other.issue(), parties.paths, parties.site)
    assert not parties.paths.license.exists()


def test_a_changed_licence_is_refused(parties: Parties) -> None:
    data = parties.issue()
    for position in range(0, len(data), 61):
        bad = bytearray(data)
        bad[position] ^= 1
        with pytest.raises(OemSecurityError):
            install_license(bytes(bad), parties.paths, parties.site)


def test_a_request_for_another_vendor_cannot_be_read(parties: Parties, tmp_path: Path) -> None:
    other = Keyring.create(tmp_path / "other-vendor", KeyringKind.VENDOR)
    with pytest.raises(LicenseError, match="another vendor"):
        read_request(parties.request(), other)


@pytest.mark.parametrize("terms", [{"days": 0}, {"days": 4000}, {"features": ()}])
def test_terms_out_of_range_are_refused(parties: Parties, terms: dict[str, object]) -> None:
    with pytest.raises(LicenseError):
        parties.issue(**terms)


def test_a_token_grants_the_scopes_of_its_roles_and_leaves_a_trace(
    parties: Parties, tmp_path: Path
) -> None:
    clock = At()
    token = issue_token(
        parties.site, audience="d", subject="anna", roles=["viewer"], ttl_s=60, clock=clock
    )
    with Journal.open(tmp_path / "rbac.jsonl", parties.site) as audit:
        verifier = TokenVerifier(
            parties.site, roles={"viewer": {"read"}}, audience="d", audit=audit, clock=clock
        )
        assert verifier.require(token, "read").subject == "anna"
        with pytest.raises(TokenError, match="anna may not trade"):
            verifier.require(token, "trade")
    kinds = [r.kind for r in read_journal(tmp_path / "rbac.jsonl", parties.site)]
    assert [k for k in kinds if k.startswith("rbac")] == ["rbac.granted", "rbac.denied"]


def test_tokens_that_do_not_hold_are_refused(parties: Parties, tmp_path: Path) -> None:
    clock, revoked = At(), set()
    verifier = TokenVerifier(
        parties.site,
        roles={"viewer": {"read"}},
        audience="d",
        revoked=revoked,
        device="this",
        clock=clock,
    )

    def token(keys: Keyring = parties.site, audience: str = "d", device: str = "") -> str:
        return issue_token(
            keys,
            audience=audience,
            subject="anna",
            roles=["viewer"],
            ttl_s=60,
            device=device,
            clock=clock,
        )

    good = token()
    head, payload, mac = good.split(".")
    stranger = token(Keyring.create(tmp_path / "stranger"))
    for bad, why in [
        ("", "not a token"),
        ("v1.!!.??", "not a token"),
        (f"v2.{payload}.{mac}", "not a token"),
        (f"{head}.{payload}.{stranger.split('.')[2]}", "not authentic"),
        (stranger, "not authentic"),
        (token(audience="other"), "for 'other'"),
        (token(device="that"), "another device"),
    ]:
        with pytest.raises(TokenError, match=why):
            verifier.verify(bad)
    verifier.verify(token(device="this"))
    verifier.verify(good)
    clock.ns += 61 * 10**9
    with pytest.raises(TokenError, match="expired"):
        verifier.verify(good)
    clock.ns -= 120 * 10**9
    with pytest.raises(TokenError, match="not valid yet"):
        verifier.verify(good)
    clock.ns += 59 * 10**9
    clock.ns += 10**9
    revoked.add(inspect_token(good).token_id)
    with pytest.raises(TokenError, match="revoked"):
        verifier.verify(good)


@pytest.mark.parametrize(
    "wrong",
    [{"roles": []}, {"roles": [""]}, {"roles": "viewer"}, {"roles": ["r" * 400]},
     {"roles": [str(n) for n in range(300)]}, {"subject": ""}, {"subject": " "},
     {"subject": "x" * 5000}, {"subject": "\ud800"}, {"ttl_s": 0}, {"ttl_s": 2.5}, {"ttl_s": True},
     {"ttl_s": 10**20}, {"device": "x" * 3000}],
)  # fmt: skip
def test_a_token_needs_subject_role_and_life(parties: Parties, wrong: dict[str, object]) -> None:
    fine = {"audience": "d", "subject": "anna", "roles": ["viewer"], "ttl_s": 60}
    with pytest.raises(InputError):
        issue_token(parties.site, **{**fine, **wrong})


@pytest.mark.parametrize("text", ["v1.\ud800.x", "v1.é.x", "v1. e30.e30", "v1.e30\n.e30", "\ud800"])
def test_a_token_of_any_other_text_is_refused(parties: Parties, text: str) -> None:
    verifier = TokenVerifier(parties.site, roles={}, audience="d")
    for look in (verifier.verify, inspect_token):
        with pytest.raises(TokenError):
            look(text)


@pytest.mark.parametrize("code", ["", "0", "000000", "\ud800", "٠٠٠٠٠٠"])
@pytest.mark.parametrize("last_step", [-1, -2, -(10**9)])
def test_a_wrong_one_time_password_is_never_accepted(code: str, last_step: int) -> None:
    with pytest.raises(FingerprintError):
        accept_totp(b"12345678901234567890", code, 59, last_step=last_step)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({}, Match.MATCH),
        ({"mac": "x"}, Match.DEGRADED),
        ({"machine_id": "x"}, Match.MISMATCH),
        ({"cpu": "x", "mac": "x", "disk": "x"}, Match.MISMATCH),
    ],
)
def test_how_much_of_a_device_may_change(change: dict[str, str], match: Match) -> None:
    verdict = compare(Fingerprint.of(DEVICE), {**DEVICE, **change})
    assert verdict.match is match
    assert set(verdict.changed) == set(change)


def test_a_fingerprint_is_kept_sealed_and_hides_what_was_read(
    parties: Parties, tmp_path: Path
) -> None:
    path = tmp_path / "fingerprint.json"
    made = Fingerprint.of(DEVICE)
    save_fingerprint(path, made, parties.site)
    assert load_fingerprint(path, parties.site) == made
    assert made.identity == load_fingerprint(path, parties.site).identity
    assert Fingerprint.of(DEVICE).identity != made.identity
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    with pytest.raises(OemSecurityError):
        load_fingerprint(path, parties.site)


def test_a_device_is_read_from_the_files_linux_shows(tmp_path: Path) -> None:
    for name, text in {
        "etc/machine-id": "abc\n",
        "proc/cpuinfo": "vendor_id : Acme\nflags : x\n\nvendor_id : Acme\n",
        "sys/class/net/eth0/address": "02:00:00:00:00:01\n",
        "sys/class/net/eth0/device/id": "",
        "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        "sys/block/sda/serial": "S123\n",
        "sys/block/sda/removable": "0\n",
        "sys/block/sdb/serial": "a stick that is plugged in\n",
        "sys/block/sdb/removable": "1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    seen = probe_device(default_probes(tmp_path))
    assert seen["machine_id"] == "abc"
    assert seen["mac"] == "02:00:00:00:00:01"
    assert seen["disk"] == "S123"
    assert "flags" not in seen["cpu"]


@pytest.mark.parametrize("salt", ["", "0" * 31, "zz" * 16, "0" * 33, "A" * 32])
def test_a_fingerprint_that_could_not_be_read_back_is_not_made(salt: str) -> None:
    with pytest.raises(FingerprintError):
        Fingerprint.of({"machine_id": "m", **({} if salt else {"nosuch": "x"})}, salt=salt)


def test_a_probe_may_read_any_text() -> None:
    made = Fingerprint.of({"machine_id": "\udcff broken name"})
    assert compare(made, {"machine_id": "\udcff broken name"}).match is Match.MATCH


def test_a_device_without_identity_is_refused() -> None:
    with pytest.raises(FingerprintError, match="machine_id"):
        Fingerprint.of({"cpu": "c1"})


def test_certificates_are_issued_revoked_and_listed(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "mtls")
    authority.issue_server()
    client = authority.issue_client()
    again = CertificateAuthority.open(tmp_path / "mtls")
    assert again.fingerprint == authority.fingerprint
    assert len(again.issued()) == 2
    again.revoke(client.serial)
    assert next(c for c in again.issued() if c.serial == client.serial).revoked
    with pytest.raises(InputError, match="serial"):
        again.revoke("0")
    with pytest.raises(InputError, match="cannot name"):
        again.issue_client("../x")
    with pytest.raises(StateError):
        CertificateAuthority.create(tmp_path / "mtls")
    with pytest.raises(InputError):
        CertificateAuthority.open(tmp_path / "none")


def test_contexts_speak_tls_13_alone_and_demand_a_certificate(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "mtls")
    authority.issue_server()
    authority.issue_client()
    server, client = server_context(tmp_path / "mtls"), client_context(tmp_path / "mtls")
    assert server.minimum_version == client.minimum_version == ssl.TLSVersion.TLSv1_3
    assert server.verify_mode is client.verify_mode is ssl.CERT_REQUIRED


def test_a_peer_is_known_by_its_certificate_until_it_is_revoked(tmp_path: Path) -> None:
    folder = tmp_path / "mtls"
    authority = CertificateAuthority.create(folder)
    authority.issue_server()
    client = authority.issue_client()
    pem = {name: (folder / f"{name}.pem").read_bytes() for name in ("client", "server")}

    def context(name: str, version: bytes = b"TLSv1.3") -> dict[str, list[bytes]]:
        return {"ssl_tls_version": [version], "x509_pem_cert": [pem[name]]}

    check = PeerCheck(folder)
    assert check.check(context("client")).name == "client"
    with pytest.raises(CertificateError, match="TLS"):
        check.check(context("client", b"TLSv1.2"))
    with pytest.raises(CertificateError, match="no certificate"):
        check.check({"ssl_tls_version": [b"TLSv1.3"]})
    with pytest.raises(CertificateError, match="not for a"):
        check.check(context("server"))
    authority.revoke(client.serial)
    with pytest.raises(CertificateError, match="revoked"):
        PeerCheck(folder).check(context("client"))
    (folder / "crl.pem").unlink()
    with pytest.raises(CertificateError, match="revocation list"):
        PeerCheck(folder).check(context("client"))
