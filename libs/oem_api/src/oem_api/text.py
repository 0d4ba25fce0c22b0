"""Messages as plain values: enum members as words, messages as JSON-ready dictionaries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from google.protobuf.message import Message

E = TypeVar("E", bound=int)

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


def enum_text(kind: type[E], value: int) -> str:
    """Return the word of an enum's value, empty for the unspecified one.

    Args:
        kind: The enum, such as `pb.OrderState`.
        value: The number; one this version does not know gives `"7?"`, never an error, since the
            daemon may be newer.

    Example:
        >>> from oem_api import pb
        >>> enum_text(pb.OrderState, pb.ORDER_STATE_PARTIALLY_FILLED)
        'partially_filled'
    """
    descriptor = _descriptor(kind)
    by_number = descriptor.values_by_number
    if value not in by_number:
        return f"{value}?"
    word = by_number[value].name.removeprefix(_prefix(descriptor)).lower()
    return "" if word == "unspecified" else word


def enum_of(kind: type[E], word: str) -> E:
    """Return the number of an enum's word.

    Args:
        kind: The enum, such as `pb.Side`.
        word: The word in lower case, such as `buy`; empty gives the unspecified value.

    Raises:
        ValueError: The enum has no such word; the message lists those it has.

    Example:
        >>> from oem_api import pb
        >>> enum_of(pb.Side, "sell") == pb.SIDE_SELL
        True
    """
    descriptor = _descriptor(kind)
    name = _prefix(descriptor) + (word or "unspecified").upper()
    if name not in descriptor.values_by_name or word != word.lower():
        words = [enum_text(kind, number) for number in descriptor.values_by_number if number]
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return cast("E", descriptor.values_by_name[name].number)


def as_json(message: Message) -> dict[str, object]:
    """Return a message as a JSON-ready dictionary.

    Every field is present; enums are words, times stay integers, and of a oneof only the field
    that is set appears.

    Example:
        >>> from oem_api import pb
        >>> as_json(pb.FeeAmount(asset="USDT", amount="0.1"))
        {'asset': 'USDT', 'amount': '0.1'}
    """
    fields: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is not None and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        repeated = bool(field.is_repeated)
        fields[field.name] = (
            [_plain(field, item) for item in value] if repeated else _plain(field, value)
        )
    return fields


def _plain(field: Any, value: Any) -> object:
    if field.message_type is not None:
        return as_json(value)
    if field.enum_type is not None:
        descriptor = field.enum_type
        known = descriptor.values_by_number.get(value)
        word = known.name.removeprefix(_prefix(descriptor)).lower() if known else f"{value}?"
        return "" if word == "unspecified" else word
    return cast("object", value)


def _descriptor(kind: object) -> Any:
    return cast("Any", kind).DESCRIPTOR


def _prefix(descriptor: Any) -> str:
    return _WORD_START.sub("_", descriptor.name).upper() + "_"
