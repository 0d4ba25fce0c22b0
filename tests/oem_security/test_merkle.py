"""Merkle proofs: what is in the tree can be shown, what is not cannot."""

from __future__ import annotations

import functools
import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_security.merkle import (
    EMPTY_ROOT,
    TreeRange,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    root_of,
    roots_of_ranges,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([number])) for number in range(70)]
sizes = st.integers(1, len(LEAVES))


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == hashlib.sha384(b"").digest()


@given(cuts=st.lists(st.integers(0, len(LEAVES)), max_size=5))
def test_how_the_leaves_came_does_not_matter(cuts: list[int]) -> None:
    whole, joined = TreeRange(), TreeRange()
    places = sorted({0, len(LEAVES), *cuts})
    for begin, end in itertools.pairwise(places):
        whole.extend(LEAVES[begin:end])
        part = TreeRange(begin)
        part.extend(LEAVES[begin:end])
        joined.join(part)
    assert whole.root() == joined.root() == root_of(LEAVES)


@given(size=sizes)
def test_a_tree_is_rebuilt_from_its_peaks(size: int) -> None:
    tree = TreeRange()
    tree.extend(LEAVES[:size])
    again = TreeRange.restore(size, tree.hashes())
    twin = again.copy()
    again.extend(LEAVES[size:])
    assert again.root() == root_of(LEAVES)
    assert twin.root() == root_of(LEAVES[:size])


@given(size=sizes, data=st.data())
def test_inclusion_is_shown_for_each_leaf_and_for_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = root_of(LEAVES[:size])
    proof = roots_of_ranges(LEAVES[:size], inclusion_ranges(index, size))
    assert verify_inclusion(LEAVES[index], index, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"forged"), index, size, proof, root)
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, root], root)
    assert not verify_inclusion(LEAVES[index], size, size, proof, root)
    if proof:
        assert not verify_inclusion(LEAVES[index], index, size, proof[:-1], root)


@given(new=sizes, data=st.data())
def test_a_longer_log_is_shown_to_continue_a_shorter_one(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    old_root, new_root = root_of(LEAVES[:old]), root_of(LEAVES[:new])
    ranges = [] if old == new else consistency_ranges(old, new)
    proof = roots_of_ranges(LEAVES[:new], ranges)
    assert verify_consistency(old, new, old_root, new_root, proof)
    forged = root_of([leaf_hash(b"forged"), *LEAVES[1:new]])
    assert not verify_consistency(old, new, old_root, forged, proof)
    assert not verify_consistency(old, new, forged, new_root, proof) or forged == old_root
    assert not verify_consistency(new + 1, new, old_root, new_root, proof)
    assert not verify_consistency(old, new, old_root, new_root, [*proof, new_root])


EVERY = 200


@functools.cache
def path_of(index: int, begin: int, end: int) -> list[tuple[int, int]]:
    """PATH(m, D[n]) of RFC 6962, section 2.1.1, as ranges of leaves."""
    if end - begin == 1:
        return []
    split = begin + largest_power_below(end - begin)
    if index < split:
        return [*path_of(index, begin, split), (split, end)]
    return [*path_of(index, split, end), (begin, split)]


@functools.cache
def subproof(old: int, begin: int, end: int, whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF(m, D[n], b) of RFC 6962, section 2.1.2, as ranges of leaves."""
    if old == end:
        return [] if whole else [(begin, end)]
    split = begin + largest_power_below(end - begin)
    if old <= split:
        return [*subproof(old, begin, split, whole), (split, end)]
    return [*subproof(old, split, end, False), (begin, split)]


@functools.cache
def largest_power_below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


# a campaign proves more than that lines are run: it is not slowed down by measuring them
@pytest.mark.no_cover
def test_every_proof_of_every_size_to_200_is_that_of_rfc_6962() -> None:
    leaves = [leaf_hash(number.to_bytes(2)) for number in range(EVERY)]

    @functools.cache
    def root(begin: int, end: int) -> bytes:
        if end - begin < 2:
            return leaves[begin] if end > begin else EMPTY_ROOT
        split = begin + largest_power_below(end - begin)
        return node_hash(root(begin, split), root(split, end))

    for size in range(EVERY + 1):
        assert root_of(leaves[:size]) == root(0, size)
        for index in range(size):
            ranges = path_of(index, 0, size)
            assert inclusion_ranges(index, size) == ranges
            old = index + 1
            wanted = subproof(old, 0, size, True)
            assert consistency_ranges(old, size) == wanted
            split = largest_power_below(size)
            if size > 40 and index not in (0, size // 2, split - 1, split, size - 1):
                continue
            proof = [root(*r) for r in ranges]
            assert verify_inclusion(leaves[index], index, size, proof, root(0, size))
            proof = [root(*r) for r in wanted]
            assert verify_consistency(old, size, root(0, old), root(0, size), proof)
            assert not verify_consistency(old, size, root(0, size - 1), root(0, old), proof)
    assert roots_of_ranges(leaves, subproof(77, 0, EVERY, True)) == [
        root(*r) for r in subproof(77, 0, EVERY, True)
    ]


def test_ranges_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="not a prefix"):
        consistency_ranges(0, 3)
    with pytest.raises(ValueError, match="no leaves"):
        roots_of_ranges(LEAVES[:3], [(2, 9)])
    with pytest.raises(ValueError, match="does not continue"):
        TreeRange().join(TreeRange(3))
    with pytest.raises(ValueError, match="begins at 0"):
        TreeRange(3).root()
    with pytest.raises(ValueError, match="peaks"):
        TreeRange.restore(3, [])
