"""Copies of frozen values with a few fields changed, without running their checks again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def with_changes(value: T, changes: Mapping[str, Any]) -> T:
    """Return a copy of a frozen dataclass with slots, with other values for some fields.

    It writes the slots themselves: neither `__init__` nor `__post_init__` runs, so the caller
    answers for the new values, as for those of a value that was checked when it was made.

    Args:
        value: What to copy.
        changes: Field to its new value.

    Raises:
        KeyError: A name is no field.
    """
    read, writers = _slots(type(value))  # type: ignore[arg-type]
    made = object.__new__(type(value))
    for put, kept in zip(writers.values(), read(value), strict=True):
        put(made, kept)
    for name, new in changes.items():
        writers[name](made, new)
    return made


@cache
def _slots(
    kind: type,
) -> tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, Callable[..., None]]]:
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return attrgetter(*names), {name: kind.__dict__[name].__set__ for name in names}
