"""Frozen, slotted dataclasses that are quick to define, for what every start of a command imports.

`dataclasses` brings `inspect`, `ast` and `dis`, and compiles five functions for each class; on the
path of `oem license verify` that was a quarter of the whole process. The three names below do the
same for the one form this library uses, `@dataclass(frozen=True, slots=True)`, and leave the real
module to be imported when somebody asks for it: `dataclasses.fields`, `replace`, `asdict` and a
subclass work as ever. Type checkers see the real ones.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T", bound=type)
_NONE: Any = object()
_set = object.__setattr__


class _Field:
    """What is said of one field."""

    __slots__ = ("compare", "default", "factory", "init", "repr")

    def __init__(self, default: Any, factory: Any = _NONE) -> None:
        self.default, self.factory = default, factory
        self.init = self.repr = self.compare = True


def _field(
    *,
    default: Any = _NONE,
    default_factory: Any = _NONE,
    init: bool = True,
    repr: bool = True,  # noqa: A002 - the word of dataclasses
    compare: bool = True,
) -> Any:
    found = _Field(default, default_factory)
    found.init, found.repr, found.compare = init, repr, compare
    return found


def _dataclass(*, frozen: bool, slots: bool) -> Callable[[T], T]:
    if not (frozen and slots):
        raise TypeError("only frozen and slotted classes; use dataclasses for others")
    return _made


def _replace(value: Any, /, **changes: Any) -> Any:
    for name, found in value.__light_fields__.items():
        if found.init:
            changes.setdefault(name, getattr(value, name))
        elif name in changes:
            raise ValueError(f"field {name} is declared with init=False, it cannot be replaced")
    return value.__class__(**changes)


def _made(cls: T) -> T:
    """Return the class anew, with slots for its fields and what a dataclass has."""
    fields: dict[str, _Field] = {}
    namespace = dict(vars(cls))
    for name in namespace.get("__annotations__", {}):
        found = namespace.pop(name, _NONE)
        if not isinstance(found, _Field):
            found = _Field(found)
        fields[name] = found
    for base in cls.__mro__[1:-1]:
        if "__light_fields__" in vars(base):
            raise TypeError("a subclass of such a class is made with dataclasses")
    for made in ("__dict__", "__weakref__"):
        namespace.pop(made, None)
    names = tuple(fields)
    shown = tuple(n for n, found in fields.items() if found.repr)
    compared = tuple(n for n, found in fields.items() if found.compare)
    of = operator.attrgetter(*compared) if compared else (lambda _: ())

    def eq(self: object, other: object) -> Any:
        return of(self) == of(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_of(self: object) -> int:
        return hash(of(self))

    def text(self: object) -> str:
        parts = ", ".join(f"{n}={getattr(self, n)!r}" for n in shown)
        return f"{self.__class__.__qualname__}({parts})"

    def state(self: object) -> list[object]:
        return [getattr(self, n) for n in names]

    def set_state(self: object, values: list[object]) -> None:
        for n, value in zip(names, values, strict=True):
            _set(self, n, value)

    common = {
        "__slots__": names,
        "__light_fields__": fields,
        "__match_args__": tuple(n for n, found in fields.items() if found.init),
        "__init__": _init(fields, hasattr(cls, "__post_init__")),
        "__eq__": eq,
        "__hash__": hash_of,
        "__repr__": text,
        "__setattr__": _refuse_set,
        "__delattr__": _refuse_delete,
        "__getstate__": state,
        "__setstate__": set_state,
        "__dataclass_fields__": _Real("__dataclass_fields__"),
        "__dataclass_params__": _Real("__dataclass_params__"),
    }
    own = {n: made for n, made in common.items() if n not in namespace or n == "__hash__"}
    return type(cls)(cls.__name__, cls.__bases__, {**namespace, **own})


def _init(fields: dict[str, _Field], post: bool) -> Any:
    """Return `__init__` as dataclasses compiles it."""
    names: dict[str, Any] = {"_set": _set, "_NONE": _NONE}
    words, lines = ["self"], []
    for name, found in fields.items():
        names[f"_default_{name}"] = found.default
        names[f"_make_{name}"] = found.factory
        value = name
        if found.factory is not _NONE:
            value = f"_make_{name}()"
            if found.init:
                value = f"{value} if {name} is _NONE else {name}"
                words.append(f"{name}=_NONE")
        elif found.init:
            words.append(name if found.default is _NONE else f"{name}=_default_{name}")
        else:
            value = f"_default_{name}"
        lines.append(f" _set(self,{name!r},{value})")
    if post:
        lines.append(" self.__post_init__()")
    made: dict[str, Any] = {}
    source = f"def __init__({','.join(words)}):\n" + ("\n".join(lines) or " pass")
    exec(source, names, made)  # noqa: S102 - the fields' names alone, as dataclasses does
    return made["__init__"]


def _refuse_set(_: object, name: str, __: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


class _Real:
    """What `dataclasses` looks for in a class, made by itself when it looks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, value: object, owner: Any) -> Any:
        import dataclasses

        fields = []
        for name, found in owner.__light_fields__.items():
            said = {"init": found.init, "repr": found.repr, "compare": found.compare}
            if found.default is not _NONE:
                said["default"] = found.default
            if found.factory is not _NONE:
                said["default_factory"] = found.factory
            fields.append((name, owner.__annotations__[name], dataclasses.field(**said)))
        real = dataclasses.make_dataclass(owner.__name__, fields, frozen=True)
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(owner, name, getattr(real, name))
        return getattr(real, self._name)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _field, _replace

__all__ = ["dataclass", "field", "replace"]
