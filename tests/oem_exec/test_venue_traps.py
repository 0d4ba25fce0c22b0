"""okx, bybit and coinbase through unmodified ccxt: what their answers prove, over a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exec_scripted import order, scripted
from oem_exec.model.enums import UnknownCause
from oem_exec.venue import Accepted, Refused, Unknown

VENUES = ("okx", "bybit", "coinbase")
ID_FIELD = {"okx": "clOrdId", "bybit": "orderLinkId", "coinbase": "client_order_id"}

ACCEPTED: dict[str, dict[str, Any]] = {
    "okx": {"code": "0", "data": [{"ordId": "7", "clOrdId": "", "sCode": "0", "sMsg": ""}]},
    "bybit": {"retCode": 0, "retMsg": "OK", "result": {"orderId": "7", "orderLinkId": ""}},
    "coinbase": {"success": True, "success_response": {"order_id": "7", "side": "BUY"}},
}
DUPLICATE: dict[str, dict[str, Any]] = {
    "okx": {
        "code": "1",
        "data": [{"sCode": "51016", "sMsg": "Duplicated client order ID", "ordId": ""}],
        "msg": "",
    },
    "bybit": {"retCode": 110072, "retMsg": "OrderLinkedID is duplicate", "result": {}},
}
FUNDS: dict[str, dict[str, Any]] = {
    "okx": {"code": "1", "data": [{"sCode": "51008", "sMsg": "Insufficient balance"}], "msg": ""},
    "bybit": {"retCode": 170131, "retMsg": "Balance insufficient", "result": {}},
    "coinbase": {
        "success": False,
        "error_response": {"error": "INSUFFICIENT_FUND", "message": "Insufficient balance"},
    },
}


def _flat(body: Any) -> dict[str, Any]:
    return body[0] if isinstance(body, list) else body


@pytest.mark.parametrize("name", VENUES)
async def test_the_client_order_id_reaches_the_venue_in_its_own_field(name: str) -> None:
    async with scripted(name) as (script, venue):
        script.body = json.dumps(ACCEPTED[name])
        sent = order(name)
        answer = await venue.place(sent)
        assert isinstance(answer, Accepted), answer
        assert answer.order.venue_order_id == "7"
        ((_, body),) = script.posts
        assert _flat(body)[ID_FIELD[name]] == sent.client_order_id


SPOILT = [
    (524, "<html>a timeout occurred</html>", "text/html"),
    (200, "<html>maintenance</html>", "text/html"),
    (200, '{"code": "0", "data": [{"ordI', "application/json"),
    (200, "{}", "application/json"),
    (502, "bad gateway", "text/plain"),
    (400, "", "text/plain"),
    (403, "", "text/plain"),
    (409, "", "text/plain"),
]


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(("status", "body", "kind"), SPOILT)
async def test_an_answer_that_proves_nothing_is_unknown(
    name: str, status: int, body: str, kind: str
) -> None:
    async with scripted(name) as (script, venue):
        script.status, script.body, script.content_type = status, body, kind
        answer = await venue.place(order(name))
        assert isinstance(answer, Unknown), answer
        assert len(script.posts) == 1, "nothing is repeated by the venue itself"


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("status", [418, 429])
async def test_refused_at_the_door_is_definite(name: str, status: int) -> None:
    async with scripted(name) as (script, venue):
        script.status, script.body = status, ""
        answer = await venue.place(order(name))
        assert isinstance(answer, Refused), answer
        assert answer.reason.value == "rate_limited"


@pytest.mark.parametrize("name", sorted(DUPLICATE))
async def test_a_duplicate_order_is_looked_up(name: str) -> None:
    async with scripted(name) as (script, venue):
        script.body = json.dumps(DUPLICATE[name])
        answer = await venue.place(order(name))
        assert isinstance(answer, Unknown), answer
        assert answer.cause is UnknownCause.DUPLICATE_ID


@pytest.mark.parametrize("name", VENUES)
async def test_too_little_money_is_definite(name: str) -> None:
    async with scripted(name) as (script, venue):
        script.body = json.dumps(FUNDS[name])
        answer = await venue.place(order(name))
        assert isinstance(answer, Refused), answer
        assert answer.reason.value == "insufficient_funds"


async def test_a_failure_that_coinbase_cannot_name_is_unknown() -> None:
    async with scripted("coinbase") as (script, venue):
        error = {"error": "UNKNOWN_FAILURE_REASON", "message": ""}
        script.body = json.dumps({"success": False, "error_response": error})
        assert isinstance(await venue.place(order("coinbase")), Unknown)
