"""Ids joined and told apart by a hash of eight bytes, checked against the text itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class _Words:
    """The text of a column as words of eight bytes.

    Args:
        ids: Text without nulls.
    """

    def __init__(self, ids: pa.Array) -> None:
        offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
        self.length = np.diff(offsets)
        self._start = offsets[:-1].astype(np.int64)
        self.longest = int(self.length.max())
        self._even = bool((self.length == self.longest).all())
        used = np.frombuffer(ids.buffers()[2], np.uint8)[: offsets[-1]]
        text = np.zeros(len(used) + 8, np.uint8)
        text[: len(used)] = used
        # every position of the text as the eight bytes that begin there
        self._bytes = text
        self._text = np.ndarray((len(text) - 7,), "<u8", text, strides=(1,))

    def at(self, place: int, rows: npt.NDArray[np.int64] | None = None) -> Hashes:
        """Return the word at a place of every text, 0 beyond its end."""
        if self._even:  # a table of as many bytes a row: no need to gather
            every = np.ndarray(
                self.length.shape, "<u8", self._bytes, int(self._start[0]) + place, (self.longest,)
            )
            word = every.copy() if rows is None else every[rows]
            left = min(self.longest - place, 8)
            return word if left == 8 else word & np.uint64(2 ** (8 * left) - 1)
        start = self._start if rows is None else self._start[rows]
        length = self.length if rows is None else self.length[rows]
        left_of = np.clip(length - place, 0, 8).astype(np.uint64)
        word = self._text[np.minimum(start + place, len(self._text) - 1)]
        mask = (np.uint64(1) << (left_of % np.uint64(8) * np.uint64(8))) - np.uint64(1)
        kept: Hashes = np.where(left_of == 8, word, word & mask)
        return kept

    def hashes(self) -> Hashes:
        """Return a number for every text; texts that are alike have the same."""
        out = self.length.astype(np.uint64)
        for place in range(0, self.longest, 8):
            mixed = (out ^ self.at(place)) * _FIRST
            mixed ^= mixed >> np.uint64(29)
            mixed *= _SECOND
            # the longest text of a column must not change the hash of a shorter one
            out = mixed if self._even else np.where(self.length > place, mixed, out)
        return out


def all_different(ids: pa.Array) -> bool:
    """Return whether no id occurs twice.

    Args:
        ids: Text without nulls.
    """
    if len(ids) < 2:
        return True
    hashes = np.sort(_Words(ids).hashes())
    if (hashes[1:] != hashes[:-1]).all():
        return True
    count: int = pc.count_distinct(ids).as_py()
    return count == len(ids)


def positions(ids: pa.Array, among: pa.Array) -> npt.NDArray[np.int64]:
    """Return where each id stands among others that are all different; -1 where it is not there."""
    import pandas as pd

    if not len(among) or not len(ids):
        return np.full(len(ids), -1, np.int64)
    mine, theirs = _Words(ids), _Words(among)
    known = pd.Index(theirs.hashes())
    if known.is_unique:
        place = known.get_indexer(pd.Index(mine.hashes())).astype(np.int64)
        found = None if (place >= 0).all() else np.flatnonzero(place >= 0)
        if _same(mine, theirs, found, place if found is None else place[found]):
            return place
    exact = pc.index_in(ids, value_set=among).fill_null(-1)
    return exact.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]


def _same(
    mine: _Words,
    theirs: _Words,
    rows: npt.NDArray[np.int64] | None,
    place: npt.NDArray[np.int64],
) -> bool:
    """Whether texts whose hashes are alike are so themselves."""
    if not len(place):
        return True
    length = mine.length if rows is None else mine.length[rows]
    if (length != theirs.length[place]).any():
        return False
    longest = int(length.max())
    return all((mine.at(at, rows) == theirs.at(at, place)).all() for at in range(0, longest, 8))
