"""The daemon's order path from outside, against a bare echo over the same TLS."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from harness import Result

from oem_api import AsyncTradingClient, TlsMaterial, pb
from oem_daemon.daemon import Daemon
from oem_security import grpc_server_credentials
from site_support import edit_config, make_site

CALLS = 150
ROUNDS = 5


async def _measure() -> Result:
    import grpc
    import grpc.aio

    with tempfile.TemporaryDirectory() as folder:
        made = make_site(Path(folder), bars=120)
        # the modelled latency of the venue is not the daemon's
        edit_config(made.site, "latency_ms: 1.0", "latency_ms: 0.0")
        daemon = Daemon(made.site, cycles=0)
        running = asyncio.create_task(daemon.run())
        ready = made.site.runtime / "daemon.json"
        while not ready.exists():  # noqa: ASYNC110 - the daemon makes the file
            await asyncio.sleep(0.02)
        target = json.loads(ready.read_text())["grpc"]
        mtls = made.site.mtls
        pair = (mtls / "client.pem", mtls / "client.key")

        async def echo(request: bytes, _: object) -> bytes:
            return request

        server = grpc.aio.server()
        method = grpc.unary_unary_rpc_method_handler(echo)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("bench.Echo", {"Call": method}),)
        )
        port = server.add_secure_port("127.0.0.1:0", grpc_server_credentials(mtls))
        await server.start()
        credentials = grpc.ssl_channel_credentials(
            (mtls / "ca.pem").read_bytes(), pair[1].read_bytes(), pair[0].read_bytes()
        )
        tls = TlsMaterial(ca=mtls / "ca.pem", certificate=pair[0], private_key=pair[1])
        async with (
            AsyncTradingClient(target, tls, made.token) as client,
            grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel,
        ):
            call = channel.unary_unary("/bench.Echo/Call")
            payload = b"x" * 120
            number = 0

            async def submit() -> None:
                nonlocal number
                number += 1
                side = pb.SIDE_BUY if number % 2 else pb.SIDE_SELL
                await client.submit_order(
                    pb.SubmitOrderRequest(
                        client_order_id=f"bench-{number}",
                        symbol="BTC/USDT",
                        side=side,
                        type=pb.ORDER_TYPE_MARKET,
                        quantity="0.001",
                    )
                )

            async def bare() -> None:
                await call(payload)

            orders, echoes = [], []
            for round_ in range(ROUNDS + 1):
                pairs = await _seconds(submit), await _seconds(bare)
                if round_:
                    orders.append(pairs[0])
                    echoes.append(pairs[1])
        await server.stop(0)
        daemon._stop.set()
        await running
    return Result(
        "daemon.submit_order",
        statistics.median(orders),
        "s",
        "one call of a bare grpc.aio echo over the same TLS",
        statistics.median(echoes),
        "<= 2",
    )


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await work()
    return (time.perf_counter() - start) / CALLS


def submit_order() -> list[Result]:
    """Order submit to acknowledgement on paper, everything durable and journalled."""
    return [asyncio.run(_measure())]


BENCHMARKS = [submit_order]
