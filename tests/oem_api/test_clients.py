"""Both clients against a real mutual TLS server over loopback."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api_support import TOKEN, Desk, Pki, make_pki, order, serve, serve_in_thread
from oem_api import (
    ApiError,
    AsyncTradingClient,
    Conflict,
    DeadlinePassed,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    TlsMaterial,
    TlsRefused,
    TradingClient,
    Unreachable,
    WrongState,
    as_json,
    pb,
)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def request(identity: str = "op-1", **changes: object) -> pb.SubmitOrderRequest:
    value = pb.SubmitOrderRequest(
        client_order_id=identity,
        symbol="BTC/USDT",
        side=pb.SIDE_BUY,
        type=pb.ORDER_TYPE_LIMIT,
        quantity="0.010",
        limit_price="60000.10",
    )
    value.MergeFrom(pb.SubmitOrderRequest(**changes))  # type: ignore[arg-type]
    return value


async def test_an_order_goes_in_once_and_shows_up_in_list_and_stream(pki: Pki) -> None:
    desk = Desk()
    async with (
        serve(pki, desk) as port,
        AsyncTradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
    ):
        events = client.events()
        assert (await anext(events)).WhichOneof("value") == "heartbeat"
        first = await client.submit_order(request())
        again = await client.submit_order(request())
        assert first == again
        assert (await anext(events)).order == first
        listed = (await client.orders()).orders
        assert [o.client_order_id for o in listed] == ["op-1"]
        assert listed[0].limit_price == "60000.10"  # the decimal's own digits survive
        await events.aclose()
        canceled = await client.cancel_order("op-1", "changed my mind")
        assert canceled.state == pb.ORDER_STATE_CANCELED
        assert desk.tls_versions == {"TLSv1.3"}


async def test_the_same_id_with_other_content_is_a_conflict(pki: Pki) -> None:
    async with (
        serve(pki, Desk()) as port,
        AsyncTradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
    ):
        await client.submit_order(request())
        with pytest.raises(Conflict, match="another client order id"):
            await client.submit_order(request(quantity="0.020"))


async def test_refusals_carry_the_daemons_own_place_and_remedy(pki: Pki) -> None:
    async with (
        serve(pki, Desk()) as port,
        AsyncTradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
    ):
        await client.set_trading_state(pb.TRADING_STATE_HALTED, "drill")
        with pytest.raises(WrongState) as caught:
            await client.submit_order(request())
        assert caught.value.where == "kill switch"
        assert caught.value.remedy == "mend the größe"
        assert caught.value.category == "state"
        assert caught.value.code == "FAILED_PRECONDITION"
        with pytest.raises(NotFound):
            await client.cancel_order("nobody")
        with pytest.raises(InvalidRequest, match="page_size"):
            await client.orders(page_size=1001)


async def test_a_wrong_or_missing_token_is_refused_on_calls_and_streams(pki: Pki) -> None:
    async with serve(pki, Desk()) as port:
        for token in ("", "wrong"):
            async with AsyncTradingClient(f"127.0.0.1:{port}", pki.client, token) as client:
                with pytest.raises(NotAuthenticated, match="token") as caught:
                    await client.status()
                assert caught.value.category == "trust"
                with pytest.raises(NotAuthenticated):
                    await anext(client.events())


async def test_without_a_client_certificate_the_handshake_is_refused(pki: Pki) -> None:
    async with serve(pki, Desk()) as port:
        bare = TlsMaterial(pki.folder / "ca.pem")
        async with AsyncTradingClient(f"127.0.0.1:{port}", bare, TOKEN) as client:
            with pytest.raises(TlsRefused, match="certificate"):
                await client.status()


async def test_a_server_of_another_authority_is_refused(pki: Pki, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    async with serve(pki, Desk()) as port:
        material = TlsMaterial(other.read("ca.pem"), pki.read("client.pem"), pki.read("client.key"))
        async with AsyncTradingClient(f"127.0.0.1:{port}", material, TOKEN) as client:
            with pytest.raises(TlsRefused):
                await client.status()


async def test_the_servers_name_must_match_or_be_named(pki: Pki) -> None:
    async with serve(pki, Desk()) as port:
        async with AsyncTradingClient(
            f"127.0.0.1:{port}", pki.client, TOKEN, server_name="localhost"
        ) as client:
            await client.status()
        async with AsyncTradingClient(
            f"127.0.0.1:{port}", pki.client, TOKEN, server_name="elsewhere"
        ) as client:
            with pytest.raises(TlsRefused):
                await client.status()


def test_a_tls_1_2_handshake_with_the_server_never_ends(tmp_path: Path) -> None:
    # In a process of its own: what another test imported first must not decide.
    probe = Path(__file__).parent.parent / "support" / "api_tls_probe.py"
    environment = {k: v for k, v in os.environ.items() if k != "GRPC_SSL_CIPHER_SUITES"}
    done = subprocess.run(
        [sys.executable, str(probe), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.split() == ["refused", "TLSv1.3"]


async def test_a_late_answer_says_that_the_outcome_is_not_known(pki: Pki) -> None:
    async with (
        serve(pki, Desk(delay_s=2.0)) as port,
        AsyncTradingClient(f"127.0.0.1:{port}", pki.client, TOKEN, timeout_s=0.3) as client,
    ):
        with pytest.raises(DeadlinePassed, match="same client order id"):
            await client.submit_order(request())


def test_nobody_at_the_port_is_unreachable_with_the_address_in_the_message(pki: Pki) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    with (
        TradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
        pytest.raises(Unreachable, match=f"127.0.0.1:{port}") as caught,
    ):
        client.status()
    assert caught.value.category == "unavailable"


def test_the_synchronous_client_does_the_same(pki: Pki) -> None:
    desk = Desk(
        orders=[order(n) for n in range(7)],
        fills=[pb.Fill(trade_id=str(n)) for n in range(3)],
        decisions=[pb.Decision(decision_id=str(n)) for n in range(3)],
        status=pb.Status(version="1.2.3", mode=pb.MODE_PAPER),
        risk=pb.Risk(equity="1000.50"),
    )
    with (
        serve_in_thread(pki, desk) as (port, loop),
        TradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
    ):
        assert client.status().version == "1.2.3"
        assert client.risk().equity == "1000.50"
        assert [o.client_order_id for o in client.iter_orders(page_size=2)] == [
            f"order-{n}" for n in range(7)
        ]
        assert len(list(client.iter_fills(page_size=1))) == 3
        assert len(list(client.iter_decisions(page_size=2))) == 3
        events = client.events()
        assert next(events).WhichOneof("value") == "heartbeat"
        loop.call(desk.publish, pb.Event(alert=pb.Alert(what="venue slow")))
        assert next(events).alert.what == "venue slow"
        events.close()
        assert client.set_trading_state(pb.TRADING_STATE_REDUCING, "calm").trading_state == 2
        client.set_trading_state(pb.TRADING_STATE_HALTED, "drill")
        with pytest.raises(WrongState):
            client.submit_order(request())
        assert client.cancel_order("order-3").state == pb.ORDER_STATE_CANCELED


async def test_async_iterators_walk_every_page(pki: Pki) -> None:
    desk = Desk(
        orders=[order(n) for n in range(5)],
        fills=[pb.Fill(trade_id=str(n)) for n in range(5)],
        decisions=[pb.Decision(decision_id=str(n)) for n in range(5)],
    )
    async with (
        serve(pki, desk) as port,
        AsyncTradingClient(f"127.0.0.1:{port}", pki.client, TOKEN) as client,
    ):
        assert len([o async for o in client.iter_orders(page_size=2)]) == 5
        assert len([f async for f in client.iter_fills(page_size=2)]) == 5
        assert len([d async for d in client.iter_decisions(page_size=2)]) == 5
        assert as_json(await client.risk())["equity"] == ""


@pytest.mark.parametrize("target", ["", "host", "host:0", "host:70000", "http://h:1", "a b:1"])
def test_a_malformed_address_is_refused_before_any_connection(pki: Pki, target: str) -> None:
    with pytest.raises(InvalidRequest, match="HOST:PORT"):
        TradingClient(target, pki.client)


def test_broken_material_names_the_file_and_what_to_do(pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"absent\.pem"):
        TlsMaterial(tmp_path / "absent.pem").credentials()
    mixed = TlsMaterial(pki.folder / "ca.pem", pki.folder / "client.key", pki.folder / "client.pem")
    with pytest.raises(InvalidRequest, match="mixed up"):
        mixed.credentials()
    with pytest.raises(InvalidRequest, match="private key is missing"):
        TlsMaterial(pki.folder / "ca.pem", pki.folder / "client.pem").credentials()
    with pytest.raises(InvalidRequest, match="token"):
        TradingClient("h:1", pki.client, "two\nlines")
    with pytest.raises(InvalidRequest, match="time-out"):
        TradingClient("h:1", pki.client, timeout_s=0)


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(NotFound("gone", where="x", remedy="look", code="NOT_FOUND")))
    assert isinstance(error, NotFound)
    assert isinstance(error, ApiError)
    assert (error.what, error.where, error.remedy, error.code) == (
        "gone",
        "x",
        "look",
        "NOT_FOUND",
    )
