"""Attacks by their names, on envelopes, logs and tokens."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oem_security import (
    Journal,
    JournalError,
    Keyring,
    OemSecurityError,
    Purpose,
    TokenError,
    TokenVerifier,
    issue_token,
    open_payload,
    read_journal,
    seal_payload,
    verify_journal,
)
from oem_security.envelope.policy import PayloadType
from oem_security.merkle import (
    consistency_ranges,
    root_of,
    roots_of_ranges,
    verify_consistency,
)

DOCUMENT, SEAL = PayloadType.DOCUMENT, PayloadType.SEAL
VALUE = {"limit": 5, "name": "a"}


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def refused(data: bytes, keys: Keyring, kind: PayloadType = DOCUMENT) -> None:
    with pytest.raises(OemSecurityError):
        open_payload(data, kind, keys)


def changed(keys: Keyring, change: Callable[[dict[str, Any]], object]) -> bytes:
    outer = json.loads(seal_payload(VALUE, DOCUMENT, keys))
    change(outer)
    return json.dumps(outer).encode()


# envelope


def test_envelope_payload_type_confusion(keys: Keyring) -> None:
    sealed = seal_payload(VALUE, DOCUMENT, keys)
    assert open_payload(sealed, DOCUMENT, keys) == VALUE
    refused(sealed, keys, SEAL)
    refused(changed(keys, lambda o: o.update(payloadType=SEAL.value)), keys, SEAL)


def test_envelope_algorithm_swap(keys: Keyring) -> None:
    # the HMAC put where the Ed25519 signature belongs, keyed by what is public
    document = keys.active(Purpose.DOCUMENT)

    def swap(outer: dict[str, Any]) -> None:
        for signature in outer["signatures"]:
            signature["sig"] = base64.b64encode(
                hmac.digest(document.public(signature_algorithm()).raw, b"x", "sha384")
            ).decode()

    refused(changed(keys, swap), keys)
    refused(changed(keys, lambda o: o["signatures"].reverse()) + b" x", keys)
    refused(changed(keys, lambda o: o["signatures"][0].update(alg="none")), keys)


def signature_algorithm() -> Any:
    from oem_security.keys.key import Algorithm

    return Algorithm.ED25519


def test_envelope_duplicate_key_id_counted_twice(keys: Keyring) -> None:
    refused(changed(keys, lambda o: o.update(signatures=[o["signatures"][0]] * 2)), keys)
    refused(changed(keys, lambda o: o.update(signatures=[o["signatures"][1]] * 2)), keys)


def test_envelope_extra_unknown_signature(keys: Keyring) -> None:
    extra = {"keyid": "someone", "sig": base64.b64encode(bytes(64)).decode()}
    refused(changed(keys, lambda o: o["signatures"].append(extra)), keys)
    refused(changed(keys, lambda o: o["signatures"].pop()), keys)
    refused(changed(keys, lambda o: o.update(signatures=[])), keys)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"limit":5,"limit":6,"name":"a"}', b'{"name":"a","limit":5}', b'{ "limit":5,"name":"a"}',
        b'{"limit":5.0,"name":"a"}', b'{"limit":NaN,"name":"a"}', b'\xef\xbb\xbf{"limit":5}',
    ],
)  # fmt: skip
def test_envelope_parse_differential(keys: Keyring, payload: bytes) -> None:
    # sealed by the right keys, and yet not what another parser would read: never accepted
    from oem_security.envelope.dsse import seal_bytes
    from oem_security.envelope.policy import site_signers

    try:
        sealed = seal_bytes(payload, DOCUMENT, site_signers(keys))
    except OemSecurityError:
        return
    refused(sealed, keys)


def test_envelope_duplicate_keys_outside(keys: Keyring) -> None:
    sealed = seal_payload(VALUE, DOCUMENT, keys)
    refused(sealed.replace(b'"payload":', b'"payload":"e30=","payload":', 1), keys)


# journal


@pytest.fixture
def log(tmp_path: Path, keys: Keyring) -> Path:
    path = tmp_path / "log.jsonl"
    with Journal.open(path, keys) as journal:
        for n in range(6):
            journal.append("entry", {"n": n, "text": "line\u2028and\u2029paragraph\x85next"})
    return path


def broken(log: Path, keys: Keyring, lines: list[bytes]) -> None:
    log.write_bytes(b"".join(lines))
    with pytest.raises(JournalError) as caught:
        verify_journal(log, keys, strict=True)
    assert caught.value.where
    assert caught.value.remedy


def test_journal_unicode_line_separator_in_a_field(log: Path, keys: Keyring) -> None:
    texts = [r.body["text"] for r in read_journal(log, keys, kinds={"entry"})]
    assert texts == ["line\u2028and\u2029paragraph\x85next"] * 6
    assert len(log.read_bytes().split(b"\n")) == 9  # opened, six entries, checkpoint, end


def test_journal_edit_insert_delete_reorder(log: Path, keys: Keyring) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    broken(log, keys, [line.replace(b'"n":3', b'"n":4') for line in lines])
    broken(log, keys, [*lines[:3], lines[2], *lines[3:]])
    broken(log, keys, [*lines[:3], *lines[4:]])
    broken(log, keys, [*lines[:3], lines[4], lines[3], *lines[5:]])


def test_journal_two_lines_fused(log: Path, keys: Keyring) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    broken(log, keys, [*lines[:3], lines[3].rstrip(b"\n") + lines[4], *lines[5:]])


def test_journal_duplicate_keys_in_a_line(log: Path, keys: Keyring) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    broken(log, keys, [line.replace(b'"n":3', b'"n":4,"n":3') for line in lines])


def test_journal_re_sealed_after_shrinking_by_another_key(
    log: Path, keys: Keyring, tmp_path: Path
) -> None:
    other = Keyring.create(tmp_path / "other")
    fresh = tmp_path / "fresh.jsonl"
    with Journal.open(fresh, other) as journal:
        journal.append("entry", {"n": 0})
    broken(log, keys, [fresh.read_bytes()])


def test_journal_split_view() -> None:
    # two continuations of one log: each holds alone, and no consistency proof joins them
    common = [bytes([n]) * 48 for n in range(5)]
    left, right = [*common, b"L" * 48, b"l" * 48], [*common, b"R" * 48, b"r" * 48, b"s" * 48]
    proof = roots_of_ranges(right, consistency_ranges(7, 8))
    assert verify_consistency(7, 8, root_of(right[:7]), root_of(right), proof)
    assert not verify_consistency(7, 8, root_of(left), root_of(right), proof)


# token


@pytest.fixture
def verifier(keys: Keyring) -> TokenVerifier:
    return TokenVerifier(keys, roles={"op": ["x"], "root": ["y"]}, audience="a")


def forged(payload: dict[str, Any], mac: bytes = b"") -> str:
    def text(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"oem1.{text(json.dumps(payload).encode())}.{text(mac)}"


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_token_algorithm_none_and_empty_key(keys: Keyring, verifier: TokenVerifier) -> None:
    token = issue_token(keys, audience="a", subject="s", roles=["op"], ttl_s=60)
    assert verifier.require(token, "x").subject == "s"
    head, body, _ = token.split(".")
    for mac in (b"", bytes(48), hmac.digest(b"", f"{head}.{body}".encode(), "sha384")):
        tail = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        with pytest.raises(TokenError):
            verifier.require(f"{head}.{body}.{tail}", "x")
    with pytest.raises(TokenError):
        verifier.require(f"none.{body}.", "x")


def test_token_wrong_audience(keys: Keyring, verifier: TokenVerifier) -> None:
    token = issue_token(keys, audience="b", subject="s", roles=["op"], ttl_s=60)
    with pytest.raises(TokenError, match="is for 'b'"):
        verifier.require(token, "x")


def test_token_scope_widening(keys: Keyring, verifier: TokenVerifier) -> None:
    token = issue_token(keys, audience="a", subject="s", roles=["op"], ttl_s=60)
    with pytest.raises(TokenError, match="may not"):
        verifier.require(token, "y")
    head, _, mac = token.split(".")
    wider = {**claims(token), "roles": ["op", "root"]}
    widened = forged(wider).split(".")[1]
    with pytest.raises(TokenError):
        verifier.require(f"{head}.{widened}.{mac}", "y")


def test_token_duplicate_json_keys(keys: Keyring, verifier: TokenVerifier) -> None:
    # authentic by the site's own key, and ambiguous: refused all the same
    token = issue_token(keys, audience="a", subject="s", roles=["op"], ttl_s=60)
    raw = json.dumps(claims(token)).encode()[:-1] + b',"roles":["root"]}'
    body = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    head = f"{token.split('.')[0]}.{body}"
    mac = keys.active(Purpose.TOKEN).mac_key("token").sign(head.encode())
    tail = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    with pytest.raises(OemSecurityError):
        verifier.require(f"{head}.{tail}", "y")
