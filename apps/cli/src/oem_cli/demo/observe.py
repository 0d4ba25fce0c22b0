"""What the demonstration reads from outside, and the calls that must be refused."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass

from oem_api import ApiError, TlsMaterial, TradingClient, pb
from oem_daemon.site import Site


@dataclass(frozen=True, slots=True)
class Observed:
    """What a client with certificate and token saw.

    Attributes:
        status: Status of the daemon; so is risk.
        orders: Number of orders; so are fills.
        verdicts: Number of decisions by verdict.
        metrics: Value of a few Prometheus metrics.
    """

    status: pb.Status
    risk: pb.Risk
    orders: int
    fills: int
    verdicts: dict[str, int]
    metrics: dict[str, float]


def tls_of(site: Site, *, certificate: bool = True) -> TlsMaterial:
    """Return the client's TLS material, with or without its certificate."""
    if not certificate:
        return TlsMaterial(ca=site.mtls / "ca.pem")
    return TlsMaterial(
        ca=site.mtls / "ca.pem",
        certificate=site.mtls / "client.pem",
        private_key=site.mtls / "client.key",
    )


def cycles_done(metrics_url: str) -> bool:
    """Return whether the daemon has traded all its data, as its health page says."""
    url = metrics_url.removesuffix("/metrics") + "/healthz"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback http
        return bool(json.load(answer)["cycles_done"])


def observe(site: Site, facts: dict[str, str], token: str) -> Observed:
    """Read orders, fills, risk and decisions over gRPC, and the metrics over HTTP."""
    from oem_api.text import enum_text

    with TradingClient(facts["grpc"], tls_of(site), token) as client:
        verdicts: dict[str, int] = {}
        for decision in client.iter_decisions(page_size=1000):
            name = enum_text(pb.Verdict, decision.verdict)
            verdicts[name] = verdicts.get(name, 0) + 1
        return Observed(
            status=client.status(),
            risk=client.risk(),
            orders=sum(1 for _ in client.iter_orders(page_size=1000)),
            fills=sum(1 for _ in client.iter_fills(page_size=1000)),
            verdicts=verdicts,
            metrics=scrape(facts["metrics"]),
        )


def scrape(url: str) -> dict[str, float]:
    """Return the samples without labels of a Prometheus page."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback http
        lines = answer.read().decode().splitlines()
    samples = [line.rsplit(" ", 1) for line in lines if line and line[0] != "#" and "{" not in line]
    return {name: float(value) for name, value in samples}


def refusals(site: Site, facts: dict[str, str], token: str) -> dict[str, str]:
    """Try a call without token and one without client certificate; returns why each was refused.

    A call that is not refused has an empty reason.
    """
    found = {}
    for name, tls, sent in (
        ("without token", tls_of(site), ""),
        ("without client certificate", tls_of(site, certificate=False), token),
    ):
        found[name] = ""
        try:
            with TradingClient(facts["grpc"], tls, sent, timeout_s=5.0) as client:
                client.status()
        except ApiError as error:
            found[name] = error.what
    return found
