"""The daemon: listens, runs the cycles, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import grpc.aio

from oem_api import pb
from oem_api.server import add_TradingServiceServicer_to_server
from oem_daemon.bootstrap import Parts, check_site, compose
from oem_daemon.coverage import save_coverage
from oem_daemon.errors import DecisionLogFailed, PortTaken
from oem_daemon.events import Event
from oem_daemon.http import MetricsServer
from oem_daemon.license_watch import WATCH_S
from oem_daemon.recall import recall
from oem_daemon.service import ServiceFacts, TradingService
from oem_daemon.site import Site
from oem_daemon.version import VERSION
from oem_exec import KillState
from oem_security import Journal, OemError, grpc_server_credentials
from oem_security.clock import NS_PER_SECOND
from oem_security.files import write_atomic

METRICS_EVERY_CYCLES = 20
KEPT_ALERTS = 50
MAX_REQUEST_BYTES = 1 << 16
MAX_CALLS = 512
STOP_GRACE_S = 1.0


class Daemon:
    """One running daemon of one site.

    Args:
        site: The site.
        cycles: Strategy cycles to run at most; None runs until the data ends.
    """

    def __init__(self, site: Site, *, cycles: int | None = None) -> None:
        self._site = site
        self._cycles = cycles
        self._stop = asyncio.Event()
        self._alerts: deque[pb.Alert] = deque(maxlen=KEPT_ALERTS)
        self._parts: Parts | None = None
        self._trading_done = False
        self._trading_stopped = ""

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns 0, or 1 when the decision log failed on the way.

        Raises:
            OemError: Something that must hold before the start does not.
        """
        checked = check_site(self._site)
        parts = self._parts = compose(self._site, checked, self._on_log_failure)
        with parts.resources:
            await parts.router.start()
            log = self._site.decision_log(checked.config.runtime.stage.value)
            parts.pipeline.restore(partial(recall, log, checked.keyring))
            if parts.place.polled:
                parts.place.intel.start()
            server, grpc_port = await self._listen(parts)
            http = MetricsServer(
                parts.registry,
                self._health,
                host=checked.config.metrics.host,
                port=checked.config.metrics.port,
            )
            try:
                http_port = await http.start()
                self._say_ready(parts, grpc_port, http_port)
                await self._until_stopped(parts)
            finally:
                parts.events.close()
                await server.stop(STOP_GRACE_S)
                await http.stop()
                await parts.place.intel.stop()
                await parts.router.stop()
                parts.router_metrics.write_textfile(self._site.router_metrics)
                save_coverage(parts.pipeline.coverage, self._site.estimate_coverage)
                self._ready_file.unlink(missing_ok=True)
        return 1 if parts.log.failure else 0

    @property
    def _ready_file(self) -> Path:
        return self._site.runtime / "daemon.json"

    async def _listen(self, parts: Parts) -> tuple[grpc.aio.Server, int]:
        config = parts.checked.config.grpc
        credentials = grpc_server_credentials(self._site.mtls)
        server = grpc.aio.server(
            options=[
                # without this a second daemon would silently share the port
                ("grpc.so_reuseport", 0),
                # no request is longer than an order with its reason
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
            ],
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        service = TradingService(
            facts=ServiceFacts(
                version=VERSION,
                started_ns=time.time_ns(),
                config=parts.checked.config,
                config_sha384=parts.checked.config_sha384,
                license=parts.license,
                venues=tuple(venue.name for venue in parts.place.venues),
            ),
            gatekeeper=parts.gatekeeper,
            pipeline=parts.pipeline,
            log=parts.log,
            events=parts.events,
            clock=parts.clock,
            alerts=lambda: list(reversed(self._alerts)),
        )
        add_TradingServiceServicer_to_server(service, server)
        host = f"[{config.host}]" if ":" in config.host else config.host
        address = f"{host}:{config.port}"
        try:
            port = server.add_secure_port(address, credentials)
        except RuntimeError:
            port = 0
        if not port:
            raise PortTaken(
                "the gRPC address cannot be used",
                where=address,
                remedy="stop what listens there, or set grpc.port in config/core.yaml",
            )
        await server.start()
        return server, port

    def _say_ready(self, parts: Parts, grpc_port: int, http_port: int) -> None:
        config = parts.checked.config
        facts = {
            "pid": os.getpid(),
            "version": VERSION,
            "stage": config.runtime.stage.value,
            "grpc": f"{config.grpc.host}:{grpc_port}",
            "metrics": f"http://{config.metrics.host}:{http_port}/metrics",
            "config_sha384": parts.checked.config_sha384,
        }
        bootstrap = self._site.logs / "runtime" / f"{config.runtime.stage.value}_bootstrap.jsonl"
        with Journal.open(bootstrap, parts.checked.keyring, subject="bootstrap") as journal:
            services = {
                "execution_service": "LiveExecutionRouter",
                "venues": [venue.name for venue in parts.place.venues],
                "market_intel": "MarketIntelAggregator",
                "markets": [f"{venue} {symbol}" for venue, symbol in parts.place.intel.markets],
            }
            journal.append("daemon.started", {**facts, **services})
        self._site.runtime.mkdir(parents=True, exist_ok=True)
        write_atomic(self._ready_file, json.dumps(facts, indent=1).encode() + b"\n")

    async def _until_stopped(self, parts: Parts) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        trading = asyncio.create_task(self._trade(parts))
        stopping = asyncio.create_task(self._stop.wait())
        watching = asyncio.create_task(self._watch_license(parts))
        try:
            await asyncio.wait({trading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if trading.done():
                trading.result()
                await stopping
        finally:
            self._stop.set()
            await parts.place.market.stop()
            await asyncio.gather(trading, watching, return_exceptions=True)
            stopping.cancel()

    async def _watch_license(self, parts: Parts) -> None:
        """Look at the licence again from time to time; say so when the answer changes."""
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), WATCH_S)
                return
            if await asyncio.to_thread(parts.license.look) and parts.license.refusal is not None:
                self._alert("licence", parts.license.refusal, pb.SEVERITY_CRITICAL)

    async def _trade(self, parts: Parts) -> None:
        pipeline, pause = parts.pipeline, parts.checked.config.runtime.cycle_seconds
        done = 0
        while self._cycles is None or done < self._cycles:
            if self._stop.is_set():
                return
            try:
                if not await pipeline.run_cycle():
                    break
            except DecisionLogFailed:
                return
            except OemError as error:
                # a ledger or store that cannot be written, data that cannot be judged: nothing
                # more is traded, and operators still see and cancel what there is
                if parts.log.failure is None:
                    self._trading_stopped = str(error)
                    self._alert("trading", error, pb.SEVERITY_CRITICAL)
                return
            self._show_state(parts)
            if done % METRICS_EVERY_CYCLES == 0:
                parts.router_metrics.write_textfile(self._site.router_metrics)
            done += 1
            await asyncio.sleep(pause)
        parts.ledger.sync()
        parts.router_metrics.write_textfile(self._site.router_metrics)
        self._trading_done = True

    def _show_state(self, parts: Parts) -> None:
        for state in KillState:
            now = float(parts.router.kill_state is state)
            parts.metrics.trading_state.labels(state.value).set(now)

    def _health(self) -> Mapping[str, object]:
        parts = self._parts
        if parts is None:
            return {"ready": False}
        failure = parts.log.failure
        return {
            "ready": failure is None and not self._trading_stopped,
            "version": VERSION,
            "stage": parts.checked.config.runtime.stage.value,
            "trading": "stopped"
            if failure or self._trading_stopped
            else parts.router.kill_state.value,
            "why": str(failure) if failure else self._trading_stopped,
            "cycles": parts.pipeline.cycles,
            "market": parts.place.market.problem,
            "cycles_done": self._trading_done,
        }

    def _on_log_failure(self, failure: DecisionLogFailed) -> None:
        self._alert("decision_log", failure, pb.SEVERITY_CRITICAL)

    def _alert(self, source: str, error: OemError, severity: pb.Severity) -> None:
        print(f"oem daemon: {error}", file=sys.stderr, flush=True)  # noqa: T201 - its only voice
        now = self._parts.clock.now_ns() if self._parts else time.time_ns()
        alert = pb.Alert(
            alert_id=f"{source}-{now // NS_PER_SECOND}",
            time_ns=now,
            severity=severity,
            source=source,
            what=error.what,
            where=error.where,
            remedy=error.remedy,
        )
        self._alerts.append(alert)
        if self._parts:
            self._parts.events.publish(Event("alert", alert, now))


def run_daemon(site: Site, *, cycles: int | None = None) -> int:
    """Run a daemon in this process until it is stopped; returns its exit code."""
    return asyncio.run(_run(site, cycles))


async def _run(site: Site, cycles: int | None) -> int:
    return await Daemon(site, cycles=cycles).run()
