"""Reads the fields of a parsed JSON object one by one, each with its type and bounds.

The payloads this library verifies are small and fixed; reading them through this class keeps the
start of `oem license verify` free of a schema framework and gives every error its field path.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import NoReturn, TypeVar

from oem_security.clock import parse_rfc3339
from oem_security.errors import MalformedError
from oem_security.strict_json import Json

T = TypeVar("T")


class Fields:
    """The fields of one object; every field must be taken, unknown ones are refused.

    Args:
        value: The parsed object.
        where: What the object is, for error messages, such as `licence`.

    Example:
        >>> fields = Fields({"n": 3}, "example")
        >>> fields.integer("n", 0, 10)
        3
        >>> fields.done()
    """

    __slots__ = ("_left", "_where")

    def __init__(self, value: Json, where: str) -> None:
        self._where = where
        if not isinstance(value, dict):
            raise MalformedError(
                "not a JSON object", where=where, remedy="fetch an intact copy of the document"
            )
        self._left: dict[str, Json] = dict(value)

    def fail(self, name: str, why: str) -> NoReturn:
        """Raise the error of one field."""
        raise MalformedError(
            f"field {name!r} {why}",
            where=self._where,
            remedy="fetch an intact copy of the document, or issue it anew",
        )

    def take(self, name: str) -> Json:
        """Return a field of any type; it must be there."""
        if name not in self._left:
            self.fail(name, "is missing")
        return self._left.pop(name)

    def text(self, name: str, *, max_length: int = 1024, pattern: str = "") -> str:
        """Return a text field, bounded, and matching `pattern` as a whole if given."""
        value = self._left.pop(name, None)
        if type(value) is not str:
            self.fail(name, "is missing" if value is None else "is not text")
        if len(value) > max_length:
            self.fail(name, f"is longer than {max_length} characters")
        if pattern:
            import re  # what every start reads has no pattern but `hex`

            if not re.fullmatch(pattern, value):
                self.fail(name, f"does not match {pattern}")
        return value

    def hex(self, name: str, digits: int, *, prefix: str = "") -> str:
        """Return a text field of so many lower-case hexadecimal digits behind a prefix."""
        value = self._left.pop(name, None)
        if type(value) is not str:
            self.fail(name, "is missing" if value is None else "is not text")
        if not is_hex(value, digits, prefix=prefix):
            self.fail(name, f"is not {prefix and prefix + ' and '}{digits} hexadecimal digits")
        return value

    def optional_text(self, name: str, *, max_length: int = 1024) -> str:
        """Return a text field, or empty text where it is absent."""
        return self.text(name, max_length=max_length) if name in self._left else ""

    def integer(self, name: str, low: int, high: int) -> int:
        """Return a whole number in `low … high`."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(name, "is not a whole number")
        if not low <= value <= high:
            self.fail(name, f"is {value}, allowed is {low} to {high}")
        return value

    def boolean(self, name: str) -> bool:
        """Return a truth value."""
        value = self.take(name)
        if not isinstance(value, bool):
            self.fail(name, "is not true or false")
        return value

    def time_ns(self, name: str) -> int:
        """Return the UTC nanoseconds of an RFC 3339 field."""
        text = self.text(name, max_length=40)
        try:
            return parse_rfc3339(text)
        except (ValueError, OverflowError):
            self.fail(name, "is not a time such as 2026-01-02T03:04:05Z")

    def bytes_b64(
        self, name: str, *, length: int | None = None, max_length: int = 1 << 20
    ) -> bytes:
        """Return the bytes of a base64 field (standard alphabet, padded)."""
        text = self.text(name, max_length=max_length * 4 // 3 + 4)
        raw = unb64(text)
        if raw is None:
            self.fail(name, "is not canonical base64")
        if length is not None and len(raw) != length:
            self.fail(name, f"has {len(raw)} bytes, expected {length}")
        return raw

    def texts(self, name: str, *, max_items: int = 256, max_length: int = 256) -> tuple[str, ...]:
        """Return a list of texts without repetition."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > max_items:
            self.fail(name, f"is not a list of at most {max_items} texts")
        result = []
        for item in value:
            if not isinstance(item, str) or len(item) > max_length:
                self.fail(name, f"holds something else than text of {max_length} characters")
            result.append(item)
        if len(set(result)) != len(result):
            self.fail(name, "names something twice")
        return tuple(result)

    def objects(self, name: str, *, max_items: int = 4096) -> list[Fields]:
        """Return a list of objects, each as its own `Fields`."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > max_items:
            self.fail(name, f"is not a list of at most {max_items} objects")
        return [Fields(item, f"{self._where}.{name}[{i}]") for i, item in enumerate(value)]

    def object(self, name: str) -> Fields:
        """Return an object field as its own `Fields`."""
        return Fields(self.take(name), f"{self._where}.{name}")

    def mapping(self, name: str) -> dict[str, Json]:
        """Return an object field as it is, for free-form content."""
        value = self.take(name)
        if not isinstance(value, dict):
            self.fail(name, "is not an object")
        return value

    def choice(self, name: str, kind: Callable[[str], T]) -> T:
        """Return a field that must be one value of a closed set, usually an enum of texts."""
        text = self.text(name, max_length=128)
        try:
            return kind(text)
        except ValueError:
            self.fail(name, f"is {text!r}, which is not one of the allowed values")

    def has(self, name: str) -> bool:
        """Tell whether a field is there and not taken yet."""
        return name in self._left

    def names(self) -> tuple[str, ...]:
        """Return the names not taken yet."""
        return tuple(self._left)

    def done(self) -> None:
        """Refuse fields nobody took: what is signed is what is understood."""
        if self._left:
            self.fail(min(self._left), "is not known to this version")


def b64(raw: bytes) -> str:
    """Return canonical base64 text of bytes."""
    return binascii.b2a_base64(raw, newline=False).decode()


def unb64(text: str) -> bytes | None:
    """Return the bytes of canonical base64 (RFC 4648, padded), or None for any other text."""
    try:
        data = text.encode("ascii")
        raw = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:  # other letters; binascii.Error is one
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == data else None


def is_hex(text: str, digits: int, *, prefix: str = "") -> bool:
    """Tell whether a text is so many lower-case hexadecimal digits behind a prefix."""
    return (
        len(text) == len(prefix) + digits
        and text.startswith(prefix)
        and not text[len(prefix) :].strip("0123456789abcdef")
    )
