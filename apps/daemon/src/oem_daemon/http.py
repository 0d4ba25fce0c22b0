"""Plain HTTP on loopback: `/metrics` for Prometheus, `/healthz` and `/readyz` for supervisors."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from oem_daemon.errors import PortTaken

Health = Callable[[], Mapping[str, object]]


class MetricsServer:
    """Serves the registry and the daemon's health.

    Args:
        registry: The metrics to expose.
        health: Returns the health document; its `ready` entry decides the answer of `/readyz`.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(
        self, registry: CollectorRegistry, health: Health, *, host: str, port: int
    ) -> None:
        self._registry = registry
        self._health = health
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port; raises PortTaken when it is in use."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                raise PortTaken(
                    "the metrics address cannot be used",
                    where=f"{self._host}:{self._port}",
                    remedy="stop what listens there, or set metrics.port in config/core.yaml",
                ) from None
            raise
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Close the listener and its connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return _json(self._health(), 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self._health()
        return _json(health, 200 if health.get("ready") else 503)


def _json(document: Mapping[str, object], status: int) -> web.Response:
    return web.Response(
        text=json.dumps(document, default=str), status=status, content_type="application/json"
    )
