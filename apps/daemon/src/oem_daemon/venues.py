"""The venues a configuration names: paper, or exchanges' sandboxes behind real adapters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from oem_daemon.config.model import CoreConfig, LiveExecution, VenueAccess
from oem_daemon.errors import ConfigError, NotReady
from oem_daemon.site import Site
from oem_exec import (
    Capabilities,
    FixedLatency,
    Instrument,
    Limit,
    PaperSettings,
    PaperVenue,
    Route,
    RouteTable,
    Sequencer,
    SharedBudgets,
)
from oem_exec.ccxt_venue.table import capabilities_of
from oem_exec.ccxt_venue.venue import CcxtSettings, CcxtVenue
from oem_security import Vault
from oem_security.clock import Clock
from oem_security.files import require_private

PASSPHRASE = "OEM_VAULT_PASSPHRASE"  # noqa: S105 - the name of a variable
PASSPHRASE_FILE = "OEM_VAULT_PASSPHRASE_FILE"  # noqa: S105 - as above


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Real adapters and what keeps them within the venues' rules.

    Attributes:
        venues: The adapters, in the configuration's order.
        routes: Which of them an order may go to.
        budgets: Their rate limits, shared by every process of the site.
        sequencers: Turn-taking for those that want requests in order.
    """

    venues: tuple[CcxtVenue, ...]
    routes: RouteTable
    budgets: SharedBudgets
    sequencers: dict[str, Sequencer]


def paper_venue(config: CoreConfig, instruments: Iterable[Instrument], clock: Clock) -> PaperVenue:
    """Return the paper venue of a configuration."""
    paper = config.execution.paper
    return PaperVenue(
        instruments,
        PaperSettings(
            seed=paper.seed,
            latency=FixedLatency(paper.latency_ms / 1000),
            spread_bps=paper.spread_bps,
            depth_share=paper.depth_share,
        ),
        clock=clock,
    )


def exchanges(site: Site, live: LiveExecution, clock: Clock) -> Exchanges:
    """Return the adapters of `execution.live`, with keys from the site's vault.

    Raises:
        ConfigError: An address is an exchange's own; only sandboxes are traded on.
        NotReady: The vault's passphrase is missing.
        VaultError: The vault does not open or lacks a key.
        ExecError: The exchange is not known or cannot do what is asked.
    """
    vault = _vault(site) if any(access.credentials for access in live.venues) else None
    venues = tuple(_adapter(access, vault, clock) for access in live.venues)
    folder = site.runtime / "budgets"
    rules = [Route(rule.symbol, rule.profile, rule.venues) for rule in live.routes]
    everywhere = Route(venues=tuple(venue.name for venue in venues))
    return Exchanges(
        venues,
        RouteTable((*rules, everywhere)),
        SharedBudgets(folder, {venue.name: venue.capabilities.limits for venue in venues}),
        {
            venue.name: Sequencer(folder / f"{venue.name}.turn")
            for venue in venues
            if venue.capabilities.sequential
        },
    )


def _adapter(access: VenueAccess, vault: Vault | None, clock: Clock) -> CcxtVenue:
    secrets = _secrets(access.credentials, vault)
    venue = CcxtVenue(
        CcxtSettings(
            access.exchange,
            secrets.get("key", ""),
            secrets.get("secret", ""),
            secrets.get("password", ""),
            base_url=access.base_url,
            kind=access.kind,
            timeout_s=access.timeout_seconds,
            capabilities=_capabilities(access),
        ),
        clock,
    )
    own = CcxtVenue(CcxtSettings(access.exchange, kind=access.kind)).addresses
    if venue.addresses & own:
        raise ConfigError(
            f"{access.base_url} is the exchange itself, not a sandbox",
            where=f"execution.live.venues: {access.exchange}",
            remedy="stage demo trades on sandboxes; give the address of one, or of oem venue serve",
        )
    return venue


def _capabilities(access: VenueAccess) -> Capabilities:
    """Return the table's row with what the configuration knows better."""
    row = capabilities_of(access.exchange)
    own = {one.bucket: Limit(one.bucket, one.units, one.window_seconds) for one in access.limits}
    if strangers := set(own) - {limit.bucket for limit in row.limits}:
        raise ConfigError(
            f"{access.exchange} has no rate limit {', '.join(sorted(strangers))}",
            where=f"execution.live.venues: {access.exchange}",
            remedy=f"use {', '.join(limit.bucket for limit in row.limits)}",
        )
    window, delay = access.receive_window_seconds, access.visibility_delay_seconds
    return replace(
        row,
        receive_window_s=row.receive_window_s if window is None else window,
        visibility_delay_s=row.visibility_delay_s if delay is None else delay,
        limits=tuple(own.get(limit.bucket, limit) for limit in row.limits),
    )


def _secrets(prefix: str, vault: Vault | None) -> Mapping[str, str]:
    if vault is None or not prefix:
        return {}
    names = set(vault.names())
    found = {part: f"{prefix}/{part}" for part in ("key", "secret", "password")}
    needed = {"key", "secret"}
    return {
        part: vault.get(name) for part, name in found.items() if part in needed or name in names
    }


def _vault(site: Site) -> Vault:
    secret = os.environ.get(PASSPHRASE)
    named = os.environ.get(PASSPHRASE_FILE)
    if secret is None and named is not None:
        file = Path(named)
        if not file.is_file():
            raise NotReady(
                "the file with the vault's passphrase is missing",
                where=named,
                remedy=f"correct {PASSPHRASE_FILE}",
            )
        require_private(file)
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    if secret is None:
        raise NotReady(
            "the exchanges' keys are in the vault, and its passphrase is not known",
            where=str(site.vault),
            remedy=f"set {PASSPHRASE_FILE} to a private file with it, or {PASSPHRASE}",
        )
    return Vault.open(site.vault, secret)
