"""Merkle trees over the lines of a journal: roots, inclusion proofs, consistency proofs.

The structure is that of Certificate Transparency with SHA-384 in place of SHA-256.

Source: RFC 6962 section 2.1; verification algorithms of RFC 9162 section 2.1.3 and 2.1.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

HASH_BYTES = 48
EMPTY_ROOT = hashlib.sha384(b"").digest()
LEAF_PREFIX = b"\0"
NODE_PREFIX = b"\1"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf."""
    return hashlib.sha384(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha384(NODE_PREFIX + left + right).digest()


class TreeRange:
    """The hashes that stand for the leaves `begin … end`, few enough to keep for any tree.

    A range that begins at 0 has a root; ranges that touch can be joined, so that several
    processes can hash parts of one tree.

    Example:
        >>> left, right = TreeRange(0), TreeRange(2)
        >>> left.extend([b"a" * 48, b"b" * 48])
        >>> right.extend([b"c" * 48])
        >>> left.join(right)
        >>> (left.end, left.root() == root_of([b"a" * 48, b"b" * 48, b"c" * 48]))
        (3, True)
    """

    __slots__ = ("_nodes", "begin", "end")

    def __init__(self, begin: int = 0) -> None:
        self.begin = begin
        self.end = begin
        self._nodes: list[tuple[int, bytes]] = []  # (level, hash), left to right

    @classmethod
    def restore(cls, size: int, hashes: Sequence[bytes]) -> TreeRange:
        """Rebuild a range from 0 from its size and the hashes `hashes()` gave."""
        levels = [bit for bit in reversed(range(size.bit_length())) if size >> bit & 1]
        if len(levels) != len(hashes):
            raise ValueError(f"a tree of {size} leaves has {len(levels)} peaks, not {len(hashes)}")
        tree = cls(0)
        tree.end = size
        tree._nodes = list(zip(levels, hashes, strict=True))
        return tree

    def hashes(self) -> list[bytes]:
        """Return the hashes that stand for the range, left to right."""
        return [node for _, node in self._nodes]

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the end; whole levels are hashed at once."""
        copy = hashlib.sha384(NODE_PREFIX).copy
        position, level = self.end, 0
        nodes = leaves
        late: list[tuple[int, bytes]] = []
        while nodes:
            if position & 1:
                self._push(level, position, nodes[0])
                nodes = nodes[1:]
                position += 1
            if len(nodes) & 1:
                late.append((level, nodes[-1]))
            pairs = []
            for left, right in zip(nodes[::2], nodes[1::2], strict=False):
                state = copy()
                state.update(left + right)
                pairs.append(state.digest())
            nodes = pairs
            position >>= 1
            level += 1
        self.end += len(leaves)
        for level, node in reversed(late):
            self._nodes.append((level, node))

    def join(self, right: TreeRange) -> None:
        """Add a range that begins where this one ends."""
        if right.begin != self.end:
            raise ValueError(f"a range from {right.begin} does not continue one to {self.end}")
        position = right.begin
        for level, node in right._nodes:
            self._push(level, position >> level, node)
            position += 1 << level
        self.end = right.end

    def copy(self) -> TreeRange:
        """Return an independent copy."""
        twin = TreeRange(self.begin)
        twin.end = self.end
        twin._nodes = list(self._nodes)
        return twin

    def root(self) -> bytes:
        """Return the root of the tree of all leaves from 0 to the end."""
        if self.begin:
            raise ValueError("only a range that begins at 0 has a root")
        if not self._nodes:
            return EMPTY_ROOT
        result = self._nodes[-1][1]
        for _, node in reversed(self._nodes[:-1]):
            result = node_hash(node, result)
        return result

    def _push(self, level: int, index: int, node: bytes) -> None:
        while index & 1 and self._nodes and self._nodes[-1][0] == level:
            node = node_hash(self._nodes.pop()[1], node)
            level += 1
            index >>= 1
        self._nodes.append((level, node))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    tree = TreeRange()
    tree.extend(list(leaves))
    return tree.root()


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges whose roots prove that leaf `index` is in a tree of `size`."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges whose roots prove that the tree of `old` is a prefix of `size`."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {old} is not a prefix of one of {size}")
    ranges: list[tuple[int, int]] = []
    begin, end, whole = 0, size, True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        ranges.append((begin, end))
    return ranges[::-1]


def roots_of_ranges(leaves: Iterable[bytes], ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the root of each of several disjoint leaf ranges, in one pass over the leaves."""
    order = sorted(range(len(ranges)), key=lambda i: ranges[i])
    roots: dict[int, bytes] = {}
    stream: Iterator[tuple[int, bytes]] = enumerate(leaves)
    for which in order:
        begin, end = ranges[which]
        tree = TreeRange()
        batch: list[bytes] = []
        for position, leaf in stream:
            if position >= begin:
                batch.append(leaf)
            if len(batch) == 4096:
                tree.extend(batch)
                batch = []
            if position == end - 1:
                break
        tree.extend(batch)
        if tree.end != end - begin:
            raise ValueError(f"there are no leaves {begin} to {end}")
        roots[which] = tree.root()
    return [roots[i] for i in range(len(ranges))]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether `proof` shows leaf `index` in the tree of `size` with `root`."""
    if not 0 <= index < size:
        return False
    fn, sn, result = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and result == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether `proof` shows that the tree of `new` leaves begins with the tree of `old`."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)
