"""A venue server and the ccxt venue that trades against it, over a real loopback socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from exec_support import BTC
from oem_exec.ccxt_venue.table import capabilities_of
from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue
from oem_exec.venue_server.faults import FaultRule
from oem_exec.venue_server.server import ServerSettings, VenueServer

KEY = "test-key"
SECRETS = {"binance": "test-secret", "kraken": "dGVzdC1zZWNyZXQ="}


def server_of(dialect: str = "binance", *rules: FaultRule, **options: Any) -> VenueServer:
    limits = {"weight_limit": 1_000_000, "order_limit": 1_000_000}
    if dialect == "kraken":
        limits = {"counter_limit": 1_000_000}
    settings: dict[str, Any] = {
        "dialect": dialect,
        "instruments": (BTC,),
        "prices": {"BTC/USDT": Decimal(60000)},
        "keys": {KEY: SECRETS[dialect]},
        "rules": rules,
        "limits": limits,
        **options,
    }
    return VenueServer(ServerSettings(**settings))


def venue_of(url: str, dialect: str = "binance", name: str = "", **capabilities: Any) -> CcxtVenue:
    row = {"visibility_delay_s": 0.05, "receive_window_s": 0.5, "limits": (), "costs": {}}
    venue = CcxtVenue(
        CcxtSettings(
            dialect,
            KEY,
            SECRETS[dialect],
            base_url=url,
            timeout_s=1.0,
            name=name,
            capabilities=replace(capabilities_of(dialect), **{**row, **capabilities}),
        )
    )
    assert venue.addresses == {"127.0.0.1"}, "no test may reach a real exchange"
    return venue


@contextlib.asynccontextmanager
async def live(
    dialect: str = "binance", *rules: FaultRule, **options: Any
) -> AsyncIterator[tuple[VenueServer, CcxtVenue]]:
    async with server_of(dialect, *rules, **options) as server:
        venue = venue_of(server.url, dialect)
        try:
            yield server, venue
        finally:
            await venue.close()
