"""Verifying an installed licence, by call and by command, against the signature check it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness import Benchmark, Result, alternate

from oem_daemon.provision import Vendor, init_site, provision_license
from oem_daemon.site import Site
from oem_security import Keyring, probe_device, verify_license
from oem_security.journal.record import Record
from oem_security.license.paths import LicensePaths
from oem_security.license.registry import APPROVED, INSTALLED, fold

CALLS = 300
IMPORT = "import cryptography.hazmat.primitives.asymmetric.ed25519"


def _licensed(folder: str) -> Site:
    """Return a new site with a licence for this device."""
    site = Site(Path(folder) / "site")
    init_site(site)
    vendor = Vendor(Path(folder) / "vendor")
    provision_license(site, vendor, features=("paper",), approved_by="bench")
    return site


def verify() -> list[Result]:
    """The whole call (files, anchors, licence, time floor) with keys and device already read.

    The Ed25519 verification itself is one third of the goal. The rest, by CPU time in microseconds
    where a verification takes 145: three files opened and read 30, two HMACs 20, strict JSON twice
    and the canonical form 35, fields of the licence checked one by one 50, the state parsed 25,
    four digests of the device 20, and what holds them together. No regular expression, no datetime,
    no second asymmetric signature is left. Between two calls nothing is kept but keys: a memory of
    verified bytes would measure something else than a start. How fast the machine runs Python
    beside Ed25519 moves the ratio from 2.8 to 4.7 between quiet runs of the same code.
    """
    private = Ed25519PrivateKey.generate()
    public, message = private.public_key(), b"m" * 1024
    signature = private.sign(message)

    def per_call(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        for _ in range(CALLS):
            work()
        return (time.perf_counter() - start) / CALLS

    with tempfile.TemporaryDirectory() as folder:
        site = _licensed(folder)
        paths, keyring, device = (
            LicensePaths(site.licenses),
            Keyring.open(site.keys),
            probe_device(),
        )
        value, baseline = alternate(
            lambda: per_call(lambda: verify_license(paths, keyring, device)),
            lambda: per_call(lambda: public.verify(signature, message)),
        )
    words = "one Ed25519 verification of 1024 bytes"
    return [Result("security.license.verify", value, "s", words, baseline, "<= 3")]


def command() -> list[Result]:
    """The whole process of `oem license verify`, probes of the device included."""

    # an installed product has its bytecode; a development shell may forbid to keep it
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def wall(words: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True, env=environment)
        return time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        site = _licensed(folder)
        oem = str(Path(sys.executable).with_name("oem"))
        value, baseline = alternate(
            lambda: wall([oem, "license", "verify", "--site", str(site.root)]),
            lambda: wall([sys.executable, "-c", IMPORT]),
            rounds=15,
        )
    return [Result("cli.license_verify", value, "s", f"python -c '{IMPORT}'", baseline, "<= 2.5")]


def registry() -> list[Result]:
    """Folding a registry of 6,000 licences against one of 1,500: about four times the time."""

    def folded(number: int) -> float:
        records = list(_approvals(number))
        start = time.process_time()
        fold(records)
        return time.process_time() - start

    value, baseline = alternate(lambda: folded(6_000), lambda: folded(1_500))
    return [Result("security.registry.fold", value, "s", "a quarter of it", baseline, "<= 6")]


def _approvals(number: int) -> Iterator[Record]:
    at = "2026-01-02T03:04:05Z"
    for n in range(number):
        approval = {"nonce": f"{n:032x}", "approved_by": "anna"}
        yield Record(2 * n, at, APPROVED, "k", approval)
        installed = {"license_id": f"lic-{n:016x}", "revision": 1, "issued": at}
        yield Record(2 * n + 1, at, INSTALLED, "k", installed)


BENCHMARKS: list[Benchmark] = [verify, command, registry]
