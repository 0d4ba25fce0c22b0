"""A caller who stops waiting stops neither the journal nor the check of a peer."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from oem_security import (
    CertificateAuthority,
    CertificateError,
    Journal,
    Keyring,
    PeerCheck,
    verify_journal,
)


async def test_a_caller_who_stops_waiting_does_not_stop_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, given_up = os.fdatasync, threading.Event()

    def slow(handle: int) -> None:
        given_up.wait(timeout=30)
        real(handle)

    keyring = Keyring.create(tmp_path / "keys")
    path = tmp_path / "log.jsonl"
    journal = Journal.open(path, keyring)
    monkeypatch.setattr(os, "fdatasync", slow)
    waiting = asyncio.ensure_future(asyncio.wrap_future(journal.submit("left", {})))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.02)  # the cancellation reaches the journal's future
    given_up.set()
    receipt = journal.submit("stayed", {}).result(timeout=30)
    assert receipt.seq == 2
    journal.close()
    assert verify_journal(path, keyring, strict=True).kinds["left"] == 1


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"ssl_tls_version": [b"TLSv1.2"]},
        {"ssl_tls_version": [b"\xff"]},
        {"ssl_tls_version": [b"TLSv1.3"], "x509_pem_cert": [b"junk"]},
    ],
    ids=["no version", "TLS 1.2", "noise", "malformed certificate"],
)
def test_a_connection_that_does_not_say_tls_13_is_refused(
    tmp_path: Path, context: dict[str, list[bytes]]
) -> None:
    authority = CertificateAuthority.create(tmp_path)
    authority.issue_client("client")
    shown = {"x509_pem_cert": [(tmp_path / "client.pem").read_bytes()], **context}
    with pytest.raises(CertificateError):
        PeerCheck(tmp_path).check(shown)
