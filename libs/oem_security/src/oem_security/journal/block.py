"""Consecutive lines of a segment, checked by themselves, so that several processes can share a log.

What a block's lines cannot tell alone, such as what stands before them, is checked when the block
is joined to the reading so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

from oem_security.errors import MalformedError
from oem_security.journal.record import (
    KEYS,
    MAC_FIELD,
    MAX_LINE_BYTES,
    RESERVED,
    TAIL,
    FastMac,
    parse_line,
)
from oem_security.merkle import LEAF_PREFIX, TreeRange

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A record of the journal itself, to be checked when its block is joined.

    Attributes:
        index: Its place in the block, 0 for the first line.
        kind: Such as `journal.checkpoint`.
        body: Its content.
        before: The hashes of the block's records before it.
    """

    index: int
    kind: str
    body: dict[str, Any]
    before: TreeRange


@dataclass(slots=True)
class Block:
    """What checking some consecutive lines found.

    Attributes:
        first: Sequence number its first line states; prev is the link it states.
        lines: How many lines hold.
        size: Their bytes, newlines included.
        link: Leaf hash of the last one, hex.
        tree: Their hashes.
        kinds: How many of each kind.
        marks: The journal's own records among them.
        leaves: Their leaf hashes.
        records: Their parsed lines, if they were asked for.
        fault: What is wrong with the line after the last one that holds; empty where all hold.
    """

    first: int = -1
    prev: str = ""
    lines: int = 0
    size: int = 0
    link: str = ""
    tree: TreeRange = field(default_factory=TreeRange)
    kinds: dict[str, int] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    fault: str = ""


def check_block(data: bytes, mac: FastMac, key_id: str, *, keep: bool = False) -> Block:
    """Check MAC, form, sequence and links of whole lines of one segment.

    Args:
        data: Lines, each with its newline.
        mac: The MAC of the segment's epoch.
        key_id: What stands in `kid` of each of its records.
        keep: Whether to keep the parsed lines.
    """
    block = Block()
    loads, start = orjson.loads, hashlib.sha384(LEAF_PREFIX)
    copy_inner, copy_outer, copy_leaf = mac.inner.copy, mac.outer.copy, start.copy
    leaves: list[bytes] = []
    settled = 0  # leaves that are in the tree
    kinds: dict[str, int] = {}
    seq, link, lines = -1, "", data.split(b"\n")
    lines.pop()
    good = 0
    for index, line in enumerate(lines):
        inner, outer = copy_inner(), copy_outer()  # FastMac.hexdigest, without two calls a line
        inner.update(line[:-TAIL])
        outer.update(inner.digest())
        if line[-TAIL:] != b'%b%b"}' % (MAC_FIELD, outer.hexdigest().encode()):
            block.fault = _why(line, key_id)
            break
        try:
            value = loads(line)
            found, time, kind, kid, body, prev, _ = value.values()
        except (ValueError, AttributeError):
            block.fault = _why(line, key_id)
            break
        if index == 0:
            block.first, block.prev = seq, link = found, prev
            if type(found) is not int or found < 0 or not isinstance(prev, str):
                block.fault = "a field has the wrong type"
                break
            block.tree = TreeRange(found)
        if found != seq:
            block.fault = f"seq is {found}, expected {seq}"
            break
        if prev != link:
            block.fault = "field prev: it does not follow the line before"
            break
        if (
            kid != key_id
            or type(body) is not dict
            or type(kind) is not str
            or type(time) is not str
            or tuple(value) != KEYS
        ):
            block.fault = _why(line, key_id)
            break
        if kind.startswith(RESERVED):
            block.tree.extend(leaves[settled:])
            settled = len(leaves)
            block.marks.append(Mark(index, kind, body, block.tree.copy()))
        state = copy_leaf()  # merkle.leaf_hash, as above
        state.update(line)
        leaf = state.digest()
        leaves.append(leaf)
        link = leaf.hex()
        seq += 1
        kinds[kind] = kinds.get(kind, 0) + 1
        good += len(line) + 1
        if keep:
            block.records.append(value)
    block.tree.extend(leaves[settled:])
    block.leaves = leaves
    block.lines = seq - block.first if block.first >= 0 else 0
    block.link, block.kinds, block.size = link, kinds, good
    return block


def chunks(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[tuple[bytes, bytes]]:
    """Yield whole lines of a stream, about `size` bytes at a time, and what is left at its end.

    Yields:
        Lines with their newlines, and the bytes of an unfinished line after them, which are none
        but at the end of the stream or where a line is longer than any record.
    """
    while data := stream.read(size):
        if not data.endswith(b"\n"):
            data += stream.readline(MAX_LINE_BYTES + 2)
        end = data.rfind(b"\n") + 1
        yield data[:end], data[end:]
        if end < len(data):
            return


def _why(line: bytes, key_id: str) -> str:
    """Say in words what is wrong with a line whose MAC or form does not hold."""
    try:
        value = parse_line(line)
    except MalformedError as error:
        return error.what
    if value["kid"] != key_id:
        return f"field kid: the record is of the key {value['kid']!r}, expected {key_id!r}"
    return "field mac: the MAC does not fit the line"
