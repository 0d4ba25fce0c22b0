"""The quick ways round slow libraries give what those libraries give."""

from __future__ import annotations

import datetime as dt

import pytest
import rfc8785
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from oem_security import InputError, Keyring, KeyringError, MalformedError, Purpose
from oem_security.clock import parse_rfc3339, rfc3339
from oem_security.keys.key import hkdf_sha384
from oem_security.strict_json import MAX_DEPTH, canonical, is_canonical, loads, loads_canonical

NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES)
def test_canonical_json_is_that_of_rfc8785(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(InputError):
            canonical(value)
        return
    assert canonical(value) == expected
    if isinstance(value, dict):
        assert is_canonical(expected, value)
        assert not is_canonical(expected + b" ", value)


@pytest.mark.parametrize(
    "value", [{1: 2}, {"a": {None: 1}}, 2**53, -(2**53), {"k": [float("nan")]}, "\ud800", {1, 2}]
)
def test_what_canonical_json_cannot_express_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        canonical(value)


def test_keys_beyond_the_basic_plane_are_in_the_order_of_the_rfc() -> None:
    assert canonical({"\U0001f600": 1, "\ufb33": 2, "\x7f": 3}) == rfc8785.dumps(
        {"\U0001f600": 1, "\ufb33": 2, "\x7f": 3}
    )


@given(st.binary(min_size=1, max_size=200), st.text(max_size=80), st.integers(1, 48))
def test_derived_keys_are_those_of_hkdf(secret: bytes, info: str, length: int) -> None:
    try:
        raw = info.encode()
    except UnicodeEncodeError:
        return
    assert hkdf_sha384(secret, info, length) == HKDF(SHA384(), length, None, raw).derive(secret)


def test_more_than_one_block_is_not_derived() -> None:
    for length in (0, 49):
        with pytest.raises(ValueError, match="one block"):
            hkdf_sha384(b"s", "info", length)


def test_keys_worked_out_once_end_with_their_epoch(tmp_path) -> None:
    keyring = Keyring.create(tmp_path / "keys")
    epoch = keyring.active(Purpose.DEVICE)
    assert epoch.mac_key("a") is epoch.mac_key("a")
    assert epoch.mac_key("a") != epoch.mac_key("b")
    assert Keyring.open(tmp_path / "keys").active(Purpose.DEVICE) == epoch
    with pytest.raises(KeyringError, match="revoked"):
        epoch.revoked().mac_key("a")


@given(st.integers(0, 253_370_764_800), st.integers(0, 999_999_999))
def test_times_come_out_as_they_went_in(seconds: int, nanoseconds: int) -> None:
    time_ns = seconds * 10**9 + nanoseconds
    assert parse_rfc3339(rfc3339(time_ns)) == time_ns
    expected = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert rfc3339(time_ns)[:19] == expected.rjust(19, "0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:60Z",
        "0000-01-01T00:00:00Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-1-2T3:4:5Z",
        "٢٠٢٦-01-02T03:04:05Z",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z\n",
        "-026-01-02T03:04:05Z",
        "2026-01-02T-3:04:05Z",
        "2026-01-02T03:04:-5Z",
        "2026-01-02T0_:04:05Z",
        "2026-01-02T03:04:05.-1Z",
        "2026-01-02T03:04:05.²Z",
        "2026-01-02t03:04:05Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|must be in|out of range"):
        parse_rfc3339(text)


def test_nesting_is_bounded_whichever_bracket_does_it() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
        with pytest.raises(MalformedError, match="nested deeper"):
            loads(deep.encode(), what="x", max_bytes=10_000)
        fine = opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1)
        loads(fine.encode(), what="x", max_bytes=10_000)
    loads(b"[" + b"[]," * 100 + b"1]", what="x", max_bytes=10_000)


@pytest.mark.parametrize(
    "data",
    [
        b"1e400",
        b'{"a": -1e999}',
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'["\\ude00\\ud83d"]',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "\\u0061": 2}',
        b"9" * 5000,
    ],
)
def test_what_json_readers_disagree_about_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        loads(data, what="document", max_bytes=10_000)


def test_a_value_nested_without_end_has_no_canonical_form() -> None:
    value: list[object] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(InputError, match="nested"):
        canonical(value)


EXACT = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**52), 2.0**52)
"""A float beyond has the form of an integer that is not exact, and is not read back."""


@given(st.dictionaries(st.text(), EXACT | st.text() | st.lists(EXACT)), st.binary(max_size=3))
def test_canonical_bytes_are_read_back_and_no_others(
    value: dict[str, object], noise: bytes
) -> None:
    try:
        data = canonical(value)
    except InputError:
        return
    found = loads_canonical(data, what="document", max_bytes=100_000)
    assert found == value
    assert canonical(found) == data
    for other in (data + noise, noise + data, data.replace(b":", b": ", 1)):
        if other != data:
            with pytest.raises(MalformedError):
                loads_canonical(other, what="document", max_bytes=100_000)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a":-0}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":9007199254740993}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u001F"}',
        b'{"a":1}\n',
        b"[]",
        b'{"a":' + b"[" * 80 + b"]" * 80 + b"}",
    ],
)
def test_other_spellings_of_a_document_are_not_canonical(data: bytes) -> None:
    with pytest.raises(MalformedError):
        loads_canonical(data, what="document", max_bytes=10_000)
