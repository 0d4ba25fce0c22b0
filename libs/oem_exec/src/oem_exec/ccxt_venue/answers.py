"""What a ccxt call's result or exception proves: accepted, refused, or nothing."""

from __future__ import annotations

import re

from oem_exec.ccxt_venue.parse import plain_text
from oem_exec.model.enums import RefusalReason, UnknownCause
from oem_exec.venue import Refused, Unknown

DEFINITE: dict[str, RefusalReason] = {
    # the venue's own words, mapped by ccxt from codes inside a parsed body
    "InsufficientFunds": RefusalReason.INSUFFICIENT_FUNDS,
    "InvalidOrder": RefusalReason.INVALID,
    "OrderImmediatelyFillable": RefusalReason.WOULD_TAKE,
    "OrderNotFillable": RefusalReason.NOT_FILLABLE,
    "BadSymbol": RefusalReason.UNKNOWN_SYMBOL,
    "BadRequest": RefusalReason.INVALID,
    "MarketClosed": RefusalReason.MARKET_CLOSED,
    "ContractUnavailable": RefusalReason.MARKET_CLOSED,
    "OperationRejected": RefusalReason.OTHER,
    "AuthenticationError": RefusalReason.NOT_AUTHORISED,
    "PermissionDenied": RefusalReason.NOT_AUTHORISED,
    "AccountNotEnabled": RefusalReason.NOT_AUTHORISED,
    "AccountSuspended": RefusalReason.NOT_AUTHORISED,
    "RestrictedLocation": RefusalReason.NOT_AUTHORISED,
    "InvalidNonce": RefusalReason.NOT_AUTHORISED,
    # refused at the door: HTTP 418 and 429, and the codes that mean the same
    "DDoSProtection": RefusalReason.RATE_LIMITED,
    "RateLimitExceeded": RefusalReason.RATE_LIMITED,
    # raised by ccxt before anything is sent
    "ArgumentsRequired": RefusalReason.NOT_SENT,
    "NotSupported": RefusalReason.NOT_SUPPORTED,
}
"""ccxt's error classes that prove a refusal, by exact name; every other error proves nothing."""

_LIMITS = frozenset({"RateLimitExceeded", "DDoSProtection"})
_DUPLICATE = re.compile(
    r"duplicat|already exist|-4116|\b51016\b|\b110072\b|\b170141\b", re.IGNORECASE
)
_SERVER_SAID = re.compile(r"\s(5\d\d)\s")
_AT_THE_DOOR = re.compile(r"^\S+ [A-Z]+ \S+ (?:418|429) ")
_FORBIDDEN = re.compile(r"^\S+ [A-Z]+ \S+ 403 ")
_RETRY_AFTER = re.compile(r"until (\d{13})")


def judge_error(
    error: Exception, definite: frozenset[str], now_ms: int, definite_text: str = ""
) -> Refused | Unknown:
    """Return what an exception of a ccxt call proves.

    `ExchangeError` itself, `ExchangeNotAvailable` (any 4xx or 5xx without a code but 418 and 429,
    a broken connection), `RequestTimeout`, `BadResponse`, `NullResponse`, `OperationFailed` and
    exceptions that are not ccxt's at all prove nothing. So does a "duplicate order": the order may
    exist.

    Args:
        error: What was raised.
        definite: Names of the classes that prove a refusal at this venue.
        now_ms: The time, to turn "banned until" into a wait.
        definite_text: Pattern that makes a plain `ExchangeError` a refusal; empty for none.
    """
    name = type(error).__name__
    text = plain_text(str(error)[:400])
    if name == "DuplicateOrderId" or (name in definite and _DUPLICATE.search(text)):
        return Unknown(UnknownCause.DUPLICATE_ID, text)
    if name in _LIMITS and _FORBIDDEN.match(text):
        # ccxt calls bybit's 403 a rate limit; a proxy or a block by country says 403 too
        return Unknown(UnknownCause.CONNECTION, f"{name}: {text}")
    if name in definite:
        reason = DEFINITE.get(name, RefusalReason.OTHER)
        retry = 0.0
        if reason is RefusalReason.RATE_LIMITED and (found := _RETRY_AFTER.search(text)):
            retry = max(0.0, (int(found.group(1)) - now_ms) / 1000)
        return Refused(_sharper(reason, text), f"{name}: {text}", retry)
    if name == "ExchangeError" and definite_text and re.search(definite_text, text):
        if _DUPLICATE.search(text):
            return Unknown(UnknownCause.DUPLICATE_ID, text)
        return Refused(_sharper(RefusalReason.INVALID, text), f"{name}: {text}")
    if name == "ExchangeNotAvailable" and _AT_THE_DOOR.match(text):
        # some of ccxt's classes have no entry for these two; the status line says enough
        return Refused(RefusalReason.RATE_LIMITED, f"{name}: {text}")
    return Unknown(_cause(name, text), f"{name}: {text}")


def _sharper(reason: RefusalReason, text: str) -> RefusalReason:
    if reason is RefusalReason.INVALID:
        if re.search(r"post.?only|immediately match", text, re.IGNORECASE):
            return RefusalReason.WOULD_TAKE
        if re.search(r"insufficient", text, re.IGNORECASE):
            return RefusalReason.INSUFFICIENT_FUNDS
    return reason


def _cause(name: str, text: str) -> UnknownCause:
    if name in {"RequestTimeout", "TimeoutError"}:
        return UnknownCause.TIMEOUT
    if name in {"BadResponse", "NullResponse", "JSONDecodeError"}:
        return UnknownCause.BAD_BODY
    if _SERVER_SAID.search(text):
        return UnknownCause.SERVER_ERROR
    if name in {"ExchangeNotAvailable", "NetworkError", "OnMaintenance"}:
        return UnknownCause.CONNECTION
    if name == "ExchangeError":
        return UnknownCause.UNCLASSIFIED
    return UnknownCause.BAD_BODY
