"""Verifying a manifest against the bare hashing of the same files in two threads."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import Result, alternate

from oem_security import Keyring, make_manifest, read_manifest, verify_tree
from oem_security.envelope.policy import PayloadType, site_pins

FILES, BYTES = 256, 1 << 20


def verify() -> list[Result]:
    """A tree of 256 files of 1 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        for n in range(FILES):
            (root / f"{n:04}").write_bytes(os.urandom(BYTES))
        keyring = Keyring.create(Path(folder) / "keys")
        path = make_manifest(root, keyring, name="bench", version=1)
        names = sorted(p for p in root.iterdir() if p != path)

        def ours() -> float:
            start = time.perf_counter()
            manifest = read_manifest(path, PayloadType.SITE_MANIFEST, site_pins(keyring))
            verify_tree(root, manifest)
            return time.perf_counter() - start

        def bare_one(name: Path) -> str:
            with name.open("rb") as stream:
                return hashlib.file_digest(stream, "sha384").hexdigest()

        def bare() -> float:
            start = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(bare_one, names))
            return time.perf_counter() - start

        value, baseline = alternate(ours, bare, rounds=5)
    words = "hashlib.file_digest of the same files in two threads"
    return [Result("security.manifest.verify", value, "s", words, baseline, "<= 1.15")]


BENCHMARKS = [verify]
