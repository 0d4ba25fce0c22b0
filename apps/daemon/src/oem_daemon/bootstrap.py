"""Compose a daemon from a site: check everything that must hold first, then build the parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

import oem_tco
from oem_daemon import translate
from oem_daemon.auth import Gatekeeper
from oem_daemon.choice import Chooser, Terms
from oem_daemon.compliance import Compliance
from oem_daemon.config.model import CoreConfig
from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.cost_book import CostBook
from oem_daemon.coverage import load_coverage
from oem_daemon.decision_log import DecisionLog
from oem_daemon.device import observe
from oem_daemon.errors import DecisionLogFailed, NotReady
from oem_daemon.events import EventHub
from oem_daemon.history import OrderHistory
from oem_daemon.key_watch import watch_keys
from oem_daemon.license_watch import LicenseWatch
from oem_daemon.market import PAPER
from oem_daemon.metrics import DaemonMetrics
from oem_daemon.pipeline import TradePipeline
from oem_daemon.place import TradingPlace, make_place
from oem_daemon.portfolio import Portfolio
from oem_daemon.risk_gate import RiskGate
from oem_daemon.site import Site
from oem_exec import LiveExecutionRouter, RouterMetrics, SplitRouter, SqliteOrderStore
from oem_risk import JournalledSwitch, RiskEngine, shipped_profile
from oem_security import (
    CapabilityGuard,
    EntryServer,
    Journal,
    Keyring,
    OemSecurityError,
    PeerCheck,
    RevokedTokens,
    TokenVerifier,
    verify_file,
    verify_license,
)
from oem_security.clock import Clock, SystemClock
from oem_security.license.paths import LicensePaths
from oem_security.license.seats import take_seat

AUDIENCE = "oem-daemon"


@dataclass(frozen=True, slots=True)
class Checked:
    """What must hold before anything starts, and held."""

    config: CoreConfig
    config_sha384: str
    keyring: Keyring
    guard: CapabilityGuard


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running daemon; `resources` closes them in the right order."""

    checked: Checked
    license: LicenseWatch
    pipeline: TradePipeline
    store: SqliteOrderStore
    router: LiveExecutionRouter
    router_metrics: RouterMetrics
    place: TradingPlace
    ledger: oem_tco.CostLedger
    log: DecisionLog
    gatekeeper: Gatekeeper
    metrics: DaemonMetrics
    registry: CollectorRegistry
    events: EventHub
    clock: Clock
    resources: ExitStack


def check_site(site: Site) -> Checked:
    """Check keys, configuration, its seal, and the licence on this device.

    Raises:
        InputError: The site has no keys or no licence.
        ConfigError: The configuration is missing or wrong.
        NotReady: The configuration is not signed.
        SealError: The configuration was changed after it was signed.
        LicenseError: The licence is expired, of another machine, or does not grant the stage.
    """
    keyring = Keyring.open(site.keys)
    config = read_config(site.config)
    try:
        verify_file(site.config, keyring)
    except OemSecurityError as error:
        raise NotReady(
            f"the configuration is not signed as it stands: {error.what}",
            where=str(site.config),
            remedy="review it, then run: oem config sign",
        ) from None
    guard = verify_license(LicensePaths(site.licenses), keyring, observe(site))
    guard.require(config.runtime.stage.value)
    return Checked(config, config_hash(site.config), keyring, guard)


def compose(
    site: Site, checked: Checked, on_log_failure: Callable[[DecisionLogFailed], None]
) -> Parts:
    """Build every part of the daemon; nothing listens and nothing trades yet.

    Args:
        site: The site.
        checked: What `check_site` returned.
        on_log_failure: Called when the decision log can no longer be written.
    """
    config, keyring = checked.config, checked.keyring
    fees = oem_tco.FeeBook.shipped()
    registry = CollectorRegistry()
    metrics, router_metrics = DaemonMetrics(registry), RouterMetrics(registry)
    with ExitStack() as stack:
        seats = checked.guard.license.terms.seats
        stack.enter_context(take_seat(LicensePaths(site.licenses).seats, seats))
        journal = stack.enter_context(
            Journal.open(
                site.decision_log(config.runtime.stage.value), keyring, subject="decisions"
            )
        )
        stack.enter_context(EntryServer(journal))  # operators' entries: oem journal append
        audit = stack.enter_context(Journal.open(site.rbac_audit, keyring, subject="rbac"))
        switch = stack.enter_context(JournalledSwitch.open(site.risk_switch, keyring))
        store = SqliteOrderStore.open(site.orders)
        stack.callback(store.close)
        log = DecisionLog(journal, on_log_failure)
        place = make_place(site, config, fees, store.newest_fill_ns(PAPER), registry)
        stack.callback(place.close)
        router = LiveExecutionRouter(
            store,
            place.venues,
            place.routes,
            journal=log,
            metrics=router_metrics,
            clock=place.clock,
            settings=place.router_settings,
            budgets=place.budgets,
            sequencers=place.sequencers,
        )
        ledger = oem_tco.CostLedger.open(site.cost_ledger)
        stack.callback(ledger.close)
        events = EventHub()
        watch = LicenseWatch(site, keyring, checked.guard)
        profile = shipped_profile(config.runtime.risk_profile.value)
        terms = Terms(
            profile=profile.name,
            quote=config.runtime.symbols[0].split("/")[1],
            fee_venue=place.fee_venue,
            compliance=Compliance(watch, config.client, config.runtime.stage.value).facts,
            entry_sizes=config.scheduler.entry_sizes,
        )
        gate = RiskGate(RiskEngine(profile, switch=switch))
        coverage = load_coverage(site.estimate_coverage)
        pipeline = TradePipeline(
            terms=terms,
            market=place.market,
            clock=place.clock,
            scheduler=place.scheduler,
            chooser=Chooser(
                terms=terms,
                market=place.market,
                clock=place.clock,
                orchestrator=oem_tco.DecisionOrchestrator(config.decision_engine),
                fees=fees,
                gate=gate,
                coverage=coverage,
                log=log,
                instruments=place.instruments.__getitem__,
                routed=router.routed,
            ),
            fees=fees,
            gate=gate,
            router=router,
            costs=CostBook(ledger, log),
            log=log,
            portfolio=Portfolio(config.runtime.initial_cash),
            coverage=coverage,
            metrics=metrics,
            events=events,
            splitter=SplitRouter(
                router, place.intel, translate.all_in_cost(fees, terms.schedule_of, place.clock)
            )
            if place.split
            else None,
            history=OrderHistory(store, router, [venue.name for venue in place.venues]),
        )
        watch_keys(metrics, keyring, site.mtls / "server.pem", SystemClock())
        gatekeeper = Gatekeeper(
            PeerCheck(site.mtls),
            TokenVerifier(
                keyring,
                roles=config.rbac,
                audience=AUDIENCE,
                revoked=RevokedTokens(site.revoked_tokens, keyring),
                audit=audit,
                device=checked.guard.license.fingerprint.identity,
            ),
            metrics,
        )
        return Parts(
            checked=checked,
            license=watch,
            pipeline=pipeline,
            store=store,
            router=router,
            router_metrics=router_metrics,
            place=place,
            ledger=ledger,
            log=log,
            gatekeeper=gatekeeper,
            metrics=metrics,
            registry=registry,
            events=events,
            clock=place.clock,
            resources=stack.pop_all(),
        )
