"""A real software TPM and a real PKCS#11 token as parts of a device; fallbacks when it drifts."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oem_security import Fingerprint, FingerprintError, InputError, Match, StorageError, compare
from oem_security.errors import LicenseError
from oem_security.fingerprint.dongle import Pkcs11Dongle, read_dongle, save_dongle
from oem_security.fingerprint.fingerprint import Basis, default_probes, probe_device
from oem_security.fingerprint.tpm import TpmProbe
from oem_security.license.terms import Fallback
from security_licenses import DEVICE, Trade

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "4711"


class Tpm:
    """A software TPM with a seed of its own, listening on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "tpm.sock"
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server",
             f"type=unixio,path={self.socket}", "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(500):
            if self.socket.exists() or self._process.poll() is not None:
                break
            time.sleep(0.01)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Tpm]:
    if shutil.which("swtpm") is None:
        pytest.skip("the Debian package swtpm is not installed")
    made = Tpm(tmp_path / "tpm")
    yield made
    made.stop()


def test_a_tpm_is_known_by_its_endorsement_key(tpm: Tpm, tmp_path: Path) -> None:
    seen = TpmProbe(tpm.socket).read()
    assert seen.startswith("ek-p256:")
    # every slot is given back: a TPM has three, and this reads many times
    assert {TpmProbe(tpm.socket).read() for _ in range(8)} == {seen}
    tpm.stop()
    again = Tpm(tmp_path / "tpm")
    try:
        assert TpmProbe(again.socket).read() == seen
    finally:
        again.stop()


def test_another_tpm_is_another_device(tpm: Tpm, tmp_path: Path) -> None:
    other = Tpm(tmp_path / "other")
    try:
        here, there = TpmProbe(tpm.socket).read(), TpmProbe(other.socket).read()
    finally:
        other.stop()
    assert here != there
    was = Fingerprint.of({**DEVICE, "tpm": here})
    assert compare(was, {**DEVICE, "tpm": here}).match is Match.MATCH
    verdict = compare(was, {**DEVICE, "tpm": there})
    assert (verdict.match, verdict.changed) == (Match.REBIND_REQUIRED, ("tpm",))


def test_a_machine_with_a_tpm_reads_it_and_one_without_does_not(tpm: Tpm, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/machine-id").write_text("abc")
    assert "tpm" not in probe_device(default_probes(root))
    (root / "dev").mkdir()
    (root / "dev/tpmrm0").symlink_to(tpm.socket)
    assert probe_device(default_probes(root))["tpm"].startswith("ek-p256:")


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x80\x01", struct.pack(">HII", 0x8002, 10, 0x922), struct.pack(">HII", 0x8002, 10, 0),
     struct.pack(">HII", 0x8002, 1 << 30, 0) + bytes(99),
     struct.pack(">HIIIIH", 0x8002, 20, 0, 1, 9, 900)],
)  # fmt: skip
def test_a_tpm_that_refuses_or_talks_nonsense_is_not_read(tmp_path: Path, answer: bytes) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "odd.sock"))
    listener.listen(1)

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    assert TpmProbe(tmp_path / "odd.sock").read() == ""
    thread.join(timeout=10)
    listener.close()
    (tmp_path / "plain").write_bytes(b"")
    assert TpmProbe(tmp_path / "plain").read() == TpmProbe(tmp_path / "none").read() == ""


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A software token with an EC and an RSA key; returns its PKCS#11 library."""
    found = next((Path(m) for m in MODULES if Path(m).exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("the Debian package softhsm2 is not installed")
    pkcs11 = pytest.importorskip("pkcs11")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    with pytest.MonkeyPatch.context() as patch:
        # the library reads its configuration once, when it is loaded
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        init = ["softhsm2-util", "--init-token", "--free", "--label", "oem", "--pin", PIN]
        subprocess.run([*init, "--so-pin", "0000"], check=True, capture_output=True)
        held = next(iter(pkcs11.lib(str(found)).get_tokens(token_label="oem")))
        with held.open(rw=True, user_pin=PIN) as session:
            for name, oid in (("ec", "secp256r1"), ("ec384", "secp384r1"), ("odd", "secp521r1")):
                curve = pkcs11.util.ec.encode_named_curve_parameters(oid)
                parameters = session.create_domain_parameters(
                    pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
                )
                parameters.generate_keypair(store=True, label=name)
            session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="rsa")
        yield found


@pytest.mark.parametrize("key", ["ec", "ec384", "rsa"])
def test_a_dongle_proves_that_it_holds_its_key(token: Path, key: str) -> None:
    dongle = Pkcs11Dongle(token, "oem", key, PIN)
    seen = dongle.read()
    assert seen.startswith("pkcs11:")
    assert dongle.read() == seen
    assert PIN not in repr(dongle)


def test_another_key_is_another_dongle_and_an_absent_one_reads_nothing(token: Path) -> None:
    assert (
        Pkcs11Dongle(token, "oem", "ec", PIN).read()
        != Pkcs11Dongle(token, "oem", "rsa", PIN).read()
    )
    assert Pkcs11Dongle(token, "unplugged", "ec", PIN).read() == ""


def test_a_dongle_that_cannot_prove_itself_is_an_error_with_a_remedy(
    token: Path, tmp_path: Path
) -> None:
    for dongle, why in (
        (Pkcs11Dongle(token, "oem", "ec", "1234"), "PIN"),
        (Pkcs11Dongle(token, "oem", "none", PIN), "no key 'none'"),
        (Pkcs11Dongle(token, "oem", "odd", PIN), "curve"),
        (Pkcs11Dongle(tmp_path / "none.so", "oem", "ec", PIN), "library"),
    ):
        with pytest.raises(FingerprintError, match=why) as caught:
            dongle.read()
        assert caught.value.remedy


def test_a_forged_signature_does_not_make_a_dongle(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oem_security.fingerprint import dongle

    # the token signs something else than it was asked: only the challenge differs
    real = dongle._ec_holds

    def another(curve: bytes, point: bytes, signature: bytes, challenge: bytes) -> bool:
        return real(curve, point, signature, bytes(48))

    monkeypatch.setattr(dongle, "_ec_holds", another)
    with pytest.raises(FingerprintError, match="does not hold"):
        Pkcs11Dongle(token, "oem", "ec", PIN).read()


def test_a_site_names_its_dongle_and_keeps_the_pin_private(token: Path, tmp_path: Path) -> None:
    pin, path = tmp_path / "pin", tmp_path / "dongle.json"
    pin.write_text(PIN + "\n")
    pin.chmod(0o644)
    with pytest.raises(StorageError):
        save_dongle(path, module=token, token="oem", key="ec", pin_file=pin)
    pin.chmod(0o600)
    save_dongle(path, module=token, token="oem", key="ec", pin_file=pin)
    assert PIN not in path.read_text()
    assert read_dongle(path).read().startswith("pkcs11:")
    for bad in (b"", b"{}", b'{"module": 1}', path.read_bytes().replace(b"module", b"modulo")):
        path.write_bytes(bad)
        with pytest.raises(InputError):
            read_dongle(path)


def test_a_dongle_stands_in_for_drifted_hardware_where_the_licence_allows_it(
    token: Path, tmp_path: Path
) -> None:
    trade = Trade.begin(tmp_path)
    device = {**DEVICE, "dongle": Pkcs11Dongle(token, "oem", "ec", PIN).read()}
    drifted = {"dongle": device["dongle"], "cpu": "new", "disk": "new"}
    trade.install(trade.issue(trade.ask(device)))
    with pytest.raises(LicenseError, match="another device"):
        trade.verify(drifted)
    trade.clock.ns += 10**9
    trade.install(trade.issue(trade.ask(device), fallbacks=(Fallback.DONGLE,)))
    guard = trade.verify(drifted)
    assert guard.device.basis is Basis.DONGLE
    assert "accepted by dongle" in " ".join(guard.warnings)
    with pytest.raises(LicenseError, match="another device"):
        trade.verify({**drifted, "dongle": "pkcs11:copied"})
    with pytest.raises(LicenseError, match="another device"):
        trade.verify({"cpu": "new", "disk": "new"})
