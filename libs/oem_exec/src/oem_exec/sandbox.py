"""Ready-made sandboxes: the venue server from plain values, and venues certified against it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from oem_exec.ccxt_venue.table import capabilities_of
from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue
from oem_exec.certify import CertificationReport, certify
from oem_exec.errors import BadSettings
from oem_exec.venue_server.faults import FaultKind, FaultPlan, FaultRule
from oem_exec.venue_server.feed import feed_of
from oem_exec.venue_server.server import ServerSettings, VenueServer, instruments_of


def server_settings(
    *,
    dialect: str,
    symbol: str = "BTC/USDT",
    price: str = "60000",
    tick: str = "0.01",
    lot: str = "0.00001",
    key: str = "sandbox",
    secret: str = "c2FuZGJveA==",  # noqa: S107 - the imitation's own default account
    port: int = 0,
    faults: Path | None = None,
    seed: int = 0,
    min_notional: str = "5",
    recorded: Mapping[str, Path | None] | None = None,
    script: Path | None = None,
    speed: float = 1.0,
    loop: bool = False,
) -> ServerSettings:
    """Return settings of a venue server; raises `BadSettings` for values that make no sense.

    Args:
        dialect: `binance` or `kraken`.
        symbol: What is traded.
        price: Price its book is made around until a feed shows another.
        tick: Price step.
        lot: Quantity step.
        key: Key of the one account.
        secret: Its secret, base64 for Kraken.
        port: Port on loopback, 0 for any.
        faults: JSON file of fault rules.
        seed: Seed of the faults.
        min_notional: Smallest price × quantity.
        recorded: `books`, `trades`, `quotes`, `bars` to a Parquet file that drives the market.
        script: JSON file of steps that drives the market.
        speed: Seconds of the feed in one second; 0 plays as fast as it can.
        loop: Begin the feed again at its end.
    """
    try:
        row = {"symbol": symbol, "tick": tick, "lot": lot, "min_notional": min_notional}
        instruments = instruments_of([row])
        prices = {symbol: Decimal(price)}
    except InvalidOperation as error:
        raise BadSettings(
            "a price or step is not a number", where=symbol, remedy="give decimal numbers"
        ) from error
    rules: tuple[FaultRule, ...] = ()
    if faults is not None:
        try:
            rules = tuple(TypeAdapter(list[FaultRule]).validate_json(faults.read_bytes()))
        except ValidationError as error:
            first = error.errors()[0]
            raise BadSettings(
                f"fault rule {'.'.join(map(str, first['loc']))}: {first['msg']}",
                where=str(faults),
                remedy="see docs/reference/exec-venue-server.md",
            ) from error
    return ServerSettings(
        dialect=dialect,
        instruments=instruments,
        prices=prices,
        keys={key: secret},
        port=port,
        rules=rules,
        seed=seed,
        feed=feed_of(instruments[0], recorded or {}, script, speed=speed, loop=loop),
    )


async def serve_for_ever(settings: ServerSettings, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; `ready` gets the base URL once the port listens."""
    async with VenueServer(settings) as server:
        ready(server.url)
        await asyncio.Event().wait()


async def certify_venue(
    exchange: str,
    symbol: str,
    base_url: str = "",
    key: str = "",
    secret: str = "",
    *,
    largest_notional: Decimal | None = Decimal(1000),
) -> CertificationReport:
    """Certify a ccxt venue against a sandbox address, or against a venue server of its dialect.

    Args:
        exchange: Venue of the capability table.
        symbol: A liquid symbol of it.
        base_url: The sandbox; empty serves an imitation on loopback.
        key: Sandbox key.
        secret: Sandbox secret.
        largest_notional: Most that the partial fill may cost at a sandbox; an imitation has no cap.

    Raises:
        BadSettings: No address is given and there is no dialect of this venue.
    """
    with tempfile.TemporaryDirectory(prefix="oem-certify-") as folder:
        if base_url:
            venue = CcxtVenue(CcxtSettings(exchange, key, secret, base_url=base_url))
            run = f"c{time.time_ns():x}"
            return await certify(
                venue, symbol, Path(folder), run=run, largest_notional=largest_notional
            )
        if exchange not in {"binance", "kraken"}:
            raise BadSettings(
                f"there is no imitation of {exchange}",
                where=exchange,
                remedy="name its sandbox with --base-url",
            )
        return await _certify_imitation(exchange, symbol, Path(folder))


async def _certify_imitation(exchange: str, symbol: str, folder: Path) -> CertificationReport:
    units = 10_000
    settings = server_settings(dialect=exchange, symbol=symbol)
    if exchange == "kraken":
        settings = replace(settings, limits={"counter_limit": units})
    row = capabilities_of(exchange)
    limits = tuple(replace(x, units=units) if x.bucket == "counter" else x for x in row.limits)
    # a local sandbox shows orders at once, so the waits need not be those of the internet
    quick = replace(row, visibility_delay_s=0.05, receive_window_s=1.0, limits=limits)
    async with VenueServer(settings) as server:
        ((account, its_secret),) = settings.keys.items()
        venue = CcxtVenue(
            CcxtSettings(exchange, account, its_secret, base_url=server.url, capabilities=quick)
        )

        async def refuse_once() -> None:
            path = "AddOrder" if exchange == "kraken" else "order"
            rule = FaultRule(
                kind=FaultKind.TOO_MANY_REQUESTS, method="POST", path=path, times=1, seconds=1.0
            )
            server.faults = FaultPlan([rule])

        return await certify(venue, symbol, folder, provoke_limit=refuse_once)
