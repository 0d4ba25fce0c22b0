"""JSON from outside, read strictly, and JSON that is signed, written canonically (RFC 8785)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn, TypeAlias

from oem_security.errors import InputError, MalformedError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Whatever JSON can hold."""

MAX_INTEGER = 2**53 - 1
"""Beyond this, numbers of RFC 8785 are not exact."""
MAX_DEPTH = 64
"""Deeper nesting than any document of the product needs; deeper input is refused."""


def loads(data: bytes, *, what: str, max_bytes: int) -> Json:
    """Parse JSON from outside: UTF-8, no duplicate keys, no NaN, bounded size and depth.

    Args:
        data: The bytes; exactly these are parsed, nothing is normalised first.
        what: What the bytes claim to be, for the error message.
        max_bytes: Largest accepted size.

    Returns:
        The parsed value.

    Raises:
        MalformedError: The bytes are not such JSON.

    Example:
        >>> loads(b'{"a": 1}', what="example", max_bytes=100)
        {'a': 1}
    """
    if len(data) > max_bytes:
        raise MalformedError(
            f"{what} has {len(data)} bytes, at most {max_bytes} are accepted",
            remedy="check that this is the right file",
        )
    try:
        value: Json = _DECODER.decode(data.decode("utf-8"))
        # so few brackets cannot nest deeper
        if data.count(b"{") + data.count(b"[") >= MAX_DEPTH:
            _check_depth(value)
        if b"\\u" in data:
            _ENCODER.encode(value).encode()  # half a surrogate pair is no text (RFC 7493)
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            f"{what} is not valid JSON: {_reason(error)}", remedy="fetch an intact copy"
        ) from None
    return value


def loads_object(data: bytes, *, what: str, max_bytes: int) -> dict[str, Json]:
    """Parse JSON from outside that must be an object; see `loads`."""
    value = loads(data, what=what, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is not a JSON object", remedy="fetch an intact copy")
    return value


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of a JSON value; two equal values have equal bytes.

    Raises:
        InputError: The value holds something canonical JSON cannot express, such as an integer
            beyond 2^53 or a NaN.

    Example:
        >>> canonical({"b": 1.0, "a": "x"})
        b'{"a":"x","b":1}'
    """
    try:
        if _is_plain(value):
            text = _ENCODER.encode(value)
            if text.isascii():
                return text.encode()
    except RecursionError as error:
        raise _no_form(error) from None
    import rfc8785

    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise _no_form(error) from None


def loads_canonical(data: bytes, *, what: str, max_bytes: int) -> dict[str, Json]:
    """Parse a JSON object that must be in canonical form (RFC 8785); see `loads`.

    Raises:
        MalformedError: The bytes are not such JSON, or another form of it.
    """
    flat = data.count(b"{") + data.count(b"[") < MAX_DEPTH
    if flat and len(data) <= max_bytes and data.isascii():
        try:
            value = _PLAIN.decode(data.decode())
            # a key named twice, another order or spelling: none of them comes out as it went in
            if type(value) is dict and _ENCODER.encode(value).encode() == data:
                return value
        except (ValueError, RecursionError):
            pass  # what is wrong, or out of the ordinary, is said below
    found = loads_object(data, what=what, max_bytes=max_bytes)
    if not is_canonical(data, found):
        raise MalformedError(
            f"the {what} is not canonical JSON (RFC 8785)",
            remedy="fetch an intact copy of the document",
        )
    return found


def is_canonical(data: bytes, value: Mapping[str, Json]) -> bool:
    """Tell whether `data` is the canonical form of `value`, which was parsed from it."""
    try:
        return canonical(value) == data
    except InputError:
        return False


def _no_form(error: Exception) -> InputError:
    return InputError(
        f"the value has no canonical JSON form: {_reason(error)}",
        remedy="use text, booleans, numbers below 2^53, lists and objects",
    )


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object names the same key twice")
    return result


def _is_plain(value: object) -> bool:
    """Tell whether both encoders write a value alike: no floats, no far integers, text keys.

    What is left to tell them apart is the order of keys beyond ASCII, which the caller excludes.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -MAX_INTEGER <= value <= MAX_INTEGER  # type: ignore[operator]
    if kind is dict:
        return all(type(k) is str and _is_plain(v) for k, v in value.items())  # type: ignore[attr-defined]
    return kind is list and all(map(_is_plain, value))  # type: ignore[call-overload]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:  # infinite
        raise ValueError(f"{text[:40]} is beyond what a number holds")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not a whole number")


def _near(text: str) -> int:
    value = int(text)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise ValueError(f"{text[:40]} is beyond what a number holds exactly")
    return value


def _check_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        if not deeper:
            return
        level = deeper
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "a text holds half a surrogate pair"
    if isinstance(error, RecursionError):
        return f"nested deeper than {MAX_DEPTH}"
    return str(error)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
_PLAIN = json.JSONDecoder(parse_constant=_no_constant, parse_float=_no_float, parse_int=_near)
# a value that holds itself ends in RecursionError, which is caught: no record of ids is kept
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
