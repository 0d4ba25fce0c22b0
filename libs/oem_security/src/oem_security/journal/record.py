"""One line of a journal: how it is written, authenticated and read back.

A line is `{"seq":…,"time":…,"kind":…,"kid":…,"body":…,"prev":…,"mac":…}`. The MAC covers the very
bytes before `,"mac":`, `prev` is the Merkle leaf hash of the line before, and the whole line
without its newline is this record's own leaf.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from oem_security.clock import NS_PER_SECOND, parse_rfc3339, rfc3339
from oem_security.errors import InputError, MalformedError
from oem_security.merkle import LEAF_PREFIX
from oem_security.strict_json import Json

GENESIS_LINK = "0" * 96
MAX_LINE_BYTES = 1 << 20
RESERVED = "journal."
KEYS = ("seq", "time", "kind", "kid", "body", "prev", "mac")
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_BLOCK = 128
MAC_FIELD = b',"mac":"'
TAIL = len(MAC_FIELD) + 96 + 2
"""Length of `,"mac":"…"}` at the end of a line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a journal.

    Attributes:
        seq: 0 for the first record, without gaps.
        time: RFC 3339 time by the writer's clock.
        kind: What it records; `journal.…` belongs to the journal itself.
        key_id: Journal id and epoch of the key that authenticated it, `<id>.<epoch>`.
        body: The content.
    """

    seq: int
    time: str
    kind: str
    key_id: str
    body: Mapping[str, Json]

    @property
    def time_ns(self) -> int:
        """UTC nanoseconds of `time`.

        Raises:
            MalformedError: Who wrote the record, with the keys, wrote no time.
        """
        try:
            return parse_rfc3339(self.time)
        except ValueError as error:
            raise _malformed(f"{error}") from None


class FastMac:
    """HMAC-SHA384 with both padded key blocks hashed once (RFC 2104, section 4)."""

    __slots__ = ("_secret", "inner", "outer")

    def __init__(self, secret: bytes) -> None:
        if not 32 <= len(secret) <= _BLOCK:
            raise ValueError("a journal key has 32 to 128 bytes")
        block = secret.ljust(_BLOCK, b"\0")
        self._secret = secret
        self.inner = hashlib.sha384(bytes(byte ^ 0x36 for byte in block))
        self.outer = hashlib.sha384(bytes(byte ^ 0x5C for byte in block))

    def __reduce__(self) -> tuple[type[FastMac], tuple[bytes]]:
        return FastMac, (self._secret,)

    def hexdigest(self, data: bytes) -> str:
        inner = self.inner.copy()
        inner.update(data)
        outer = self.outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


class TimeText:
    """RFC 3339 text of a time, remembering the second it was last asked for."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def of(self, time_ns: int) -> str:
        second, fraction = divmod(time_ns, NS_PER_SECOND)
        if second != self._second:
            self._text = rfc3339(second * NS_PER_SECOND)[:20]
            self._second = second
        return f"{self._text}{fraction:09d}Z"


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Return the JSON bytes of a record's content.

    Raises:
        InputError: It holds something JSON cannot express, or is too large.
    """
    try:
        data = orjson.dumps(body)
    except TypeError as error:
        raise InputError(
            f"the entry cannot be written as JSON: {error}",
            where="body",
            remedy="pass text, numbers of at most 64 bits, lists and objects with text keys; "
            "write decimals as text",
        ) from None
    if len(data) > MAX_LINE_BYTES - 1024:
        raise InputError(
            f"the entry has {len(data)} bytes, at most {MAX_LINE_BYTES - 1024} fit one line",
            where="body",
            remedy="write the data to a file, seal it, and journal its hash",
        )
    if b"null" in data and _has_nan(body):
        raise InputError(
            "the entry holds a number that is not finite",
            where="body",
            remedy="leave the field out or write null on purpose",
        )
    if data[:1] != b"{":
        raise InputError("the entry is not an object", where="body", remedy="pass a mapping")
    return data


def require_kind(kind: str) -> None:
    """Refuse a kind that is not lower-case words, or that the journal keeps for itself."""
    if not _KIND.fullmatch(kind) or kind.startswith(RESERVED):
        raise InputError(
            f"{kind!r} is not a kind of entry",
            where="kind",
            remedy="use lower-case letters, digits, dot, dash and underscore, at most 64, "
            f"not beginning with {RESERVED!r}",
        )


def encode_lines(
    seq: int,
    time: str,
    key_id: str,
    entries: Iterable[tuple[str, bytes]],
    prev: str,
    mac: FastMac,
) -> tuple[list[bytes], list[bytes]]:
    """Return the lines (without newlines) of consecutive records, and their leaf hashes.

    It is the innermost loop of writing; what is the same for all of them, the key blocks of the
    MAC and the first byte of a leaf too, is hashed before it.

    Args:
        seq: Number of the first one.
        time: When they are written.
        key_id: What stands in their `kid`.
        entries: Kind and JSON bytes of the content of each.
        prev: Leaf hash of the record before the first, hex.
        mac: The MAC of their epoch.
    """
    start = hashlib.sha384(LEAF_PREFIX)
    copy_inner, copy_outer, copy_leaf = mac.inner.copy, mac.outer.copy, start.copy
    at, kid, link = time.encode(), key_id.encode(), prev.encode()
    lines, leaves = [], []
    for kind, body in entries:
        head = b'{"seq":%d,"time":"%b","kind":"%b","kid":"%b","body":%b,"prev":"%b"' % (
            seq, at, kind.encode(), kid, body, link,
        )  # fmt: skip
        inner, outer, leaf = copy_inner(), copy_outer(), copy_leaf()
        inner.update(head)
        outer.update(inner.digest())
        line = b'%b,"mac":"%b"}' % (head, outer.hexdigest().encode())
        leaf.update(line)
        digest = leaf.digest()
        link = digest.hex().encode()
        lines.append(line)
        leaves.append(digest)
        seq += 1
    return lines, leaves


def encode_line(
    seq: int, time: str, kind: str, key_id: str, body: bytes, prev: str, mac: FastMac
) -> tuple[bytes, bytes]:
    """Return one record's line (without newline) and its leaf hash; see `encode_lines`."""
    lines, leaves = encode_lines(seq, time, key_id, [(kind, body)], prev, mac)
    return lines[0], leaves[0]


def parse_line(line: bytes) -> dict[str, Any]:
    """Parse one line; only the exact form this library writes is accepted.

    Raises:
        MalformedError: It is not such a line.
    """
    try:
        value = orjson.loads(line)
    except ValueError as error:
        raise _malformed(f"not JSON: {error}") from None
    if type(value) is not dict or tuple(value) != KEYS:
        raise _malformed(f"a record has the fields {', '.join(KEYS)}, in this order")
    if orjson.dumps(value) != line:
        raise _malformed("not in the writer's own form (doubled keys, spaces, odd escapes)")
    seq, time, kind, key_id, body, prev, mac = value.values()
    if (
        type(seq) is not int
        or type(body) is not dict
        or not isinstance(kind, str)
        or not isinstance(key_id, str)
        or not isinstance(time, str)
        or not isinstance(prev, str)
        or not isinstance(mac, str)
        or len(prev) != 96
        or len(mac) != 96
        or seq < 0
    ):
        raise _malformed("a field has the wrong type or length")
    return value


def record_of(value: Mapping[str, Any]) -> Record:
    """Return the plain record of a parsed line."""
    return Record(value["seq"], value["time"], value["kind"], value["kid"], value["body"])


def _malformed(why: str) -> MalformedError:
    return MalformedError(f"the line is no journal record: {why}", remedy="see oem journal verify")


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_nan, value))
    return False
