"""Where a daemon trades: a replayed market on paper, or sandboxes of exchanges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from prometheus_client import CollectorRegistry

import oem_tco
from oem_daemon.config.model import (
    CoreConfig,
    LiveExecution,
    MeanReversionSettings,
    StrategySlot,
    VenueData,
)
from oem_daemon.data import as_series, load_bars
from oem_daemon.live_market import LiveMarket
from oem_daemon.market import Market
from oem_daemon.replay import MarketClock, MarketFeed, ReplayedMarket
from oem_daemon.scheduler import MultiStrategyScheduler, Slot
from oem_daemon.site import Site
from oem_daemon.strategies import MeanReversion, Strategy, Trend
from oem_daemon.translate import VOLATILITY_BARS
from oem_daemon.venues import exchanges, paper_venue
from oem_exec import (
    Budgets,
    Instrument,
    IntelField,
    IntelMetrics,
    IntelSettings,
    MarketIntelAggregator,
    Route,
    RouterSettings,
    RouteTable,
    Sequencer,
    Venue,
)
from oem_risk import shipped_profile
from oem_security.clock import Clock, SystemClock

BOOK_MAX_AGE_S = 5.0


@dataclass(frozen=True, slots=True)
class TradingPlace:
    """Everything that differs between a replayed market and exchanges.

    Attributes:
        market: Bars and books.
        scheduler: The strategies.
        instruments: Lots and smallest notionals by symbol.
        clock: Market time.
        intel: The shared picture of all markets.
        venues: Where orders go, and by which routes.
        router_settings: Patience and polling of the router.
        budgets: Rate limits; None limits nothing.
        sequencers: Venue to turn-taking.
        fee_venue: Venue whose fee schedule is charged.
        split: Whether an order may be split over the venues of its route.
        polled: Whether market intelligence polls in the background.
        close: Lets go of files.
    """

    market: Market
    scheduler: MultiStrategyScheduler
    instruments: Mapping[str, Instrument]
    clock: Clock
    intel: MarketIntelAggregator
    venues: Sequence[Venue]
    routes: RouteTable
    router_settings: RouterSettings
    fee_venue: str
    budgets: Budgets | None = None
    sequencers: dict[str, Sequencer] = field(default_factory=dict)
    split: bool = False
    polled: bool = False
    close: Callable[[], None] = lambda: None


def make_place(
    site: Site,
    config: CoreConfig,
    fees: oem_tco.FeeBook,
    newest_ns: int,
    registry: CollectorRegistry,
) -> TradingPlace:
    """Return the place that a configuration names; nothing is asked of any venue yet.

    Args:
        site: The site.
        config: Its configuration.
        fees: The fee schedules, for the fees of instruments.
        newest_ns: Time of the newest fill there is; a replay goes on behind it.
        registry: Where market intelligence shows its figures.
    """
    live = config.execution.live
    if isinstance(config.market_data, VenueData) and live is not None:
        return _exchanges(site, config, live, fees, registry)
    return _replay(site, config, fees, newest_ns, registry)


def _replay(
    site: Site,
    config: CoreConfig,
    fees: oem_tco.FeeBook,
    newest_ns: int,
    registry: CollectorRegistry,
) -> TradingPlace:
    series = {bars.symbol: as_series(bars) for bars in load_bars(config, base=site.root)}
    paper = config.execution.paper
    first_ns = int(next(iter(series.values())).open_ns[0])
    instruments = _instruments(config, fees, paper.fees_of, first_ns)
    scheduler = _scheduler(config, instruments)
    feed = MarketFeed(series, max(scheduler.warmup, VOLATILITY_BARS))
    feed.seek(newest_ns)
    clock = MarketClock(next(iter(feed.current().values())).close_ns)
    venue = paper_venue(config, instruments.values(), clock)
    # nothing is newer than the last bar of a replay, so ages are counted in bars
    oldest_s = config.market_intel.max_age_bars * feed.interval_ns / 1e9
    intel = MarketIntelAggregator(
        [venue],
        {venue.name: config.runtime.symbols},
        IntelSettings(
            max_age_s=dict.fromkeys(IntelField, oldest_s), depth=20, candles=VOLATILITY_BARS
        ),
        clock,
        metrics=IntelMetrics(registry),
    )
    return TradingPlace(
        market=ReplayedMarket(
            feed,
            clock,
            venue,
            intel,
            latency_ms=paper.latency_ms,
            history=VOLATILITY_BARS,
        ),
        scheduler=scheduler,
        instruments=instruments,
        clock=clock,
        intel=intel,
        venues=[venue],
        routes=RouteTable((Route(venues=(venue.name,)),)),
        router_settings=RouterSettings(poll_interval_s=0.0),
        fee_venue=paper.fees_of,
    )


def _exchanges(
    site: Site,
    config: CoreConfig,
    live: LiveExecution,
    fees: oem_tco.FeeBook,
    registry: CollectorRegistry,
) -> TradingPlace:
    clock = SystemClock()
    found = exchanges(site, live, clock)
    preferred = found.venues[0].name
    instruments = _instruments(config, fees, preferred, clock.now_ns())
    scheduler = _scheduler(config, instruments)
    oldest_s = config.market_intel.max_age_bars * 60.0
    sources = [venue.market for venue in found.venues]
    intel = MarketIntelAggregator(
        sources,
        {source.name: config.runtime.symbols for source in sources},
        IntelSettings(
            max_age_s={
                **dict.fromkeys(IntelField, max(oldest_s, 1800.0)),
                IntelField.CANDLES: max(oldest_s, 300.0),
                IntelField.BOOK: BOOK_MAX_AGE_S,
            },
        ),
        clock,
        found.budgets,
        IntelMetrics(registry),
    )
    market = LiveMarket(
        sources,
        config.runtime.symbols,
        intel=intel,
        budgets=found.budgets,
        clock=clock,
        warmup=max(scheduler.warmup, VOLATILITY_BARS),
    )
    return TradingPlace(
        market=market,
        scheduler=scheduler,
        instruments=instruments,
        clock=clock,
        intel=intel,
        venues=found.venues,
        routes=found.routes,
        router_settings=RouterSettings(
            poll_interval_s=live.poll_seconds, start_patience_s=live.start_patience_seconds
        ),
        fee_venue=preferred,
        budgets=found.budgets,
        sequencers=found.sequencers,
        split=live.split,
        polled=True,
        close=found.budgets.close,
    )


def strategy_of(slot: StrategySlot) -> Strategy:
    """Return the strategy that a slot of the configuration describes."""
    settings = slot.settings
    if isinstance(settings, MeanReversionSettings):
        return MeanReversion(settings.window, settings.entry_z, slot.name)
    return Trend(settings.fast, settings.slow, slot.name)


def _scheduler(config: CoreConfig, instruments: Mapping[str, Instrument]) -> MultiStrategyScheduler:
    slots = [Slot(strategy_of(slot), slot.capital_share) for slot in config.strategies]
    profile = shipped_profile(config.runtime.risk_profile.value)
    return MultiStrategyScheduler(slots, instruments, profile, band=config.scheduler.rebalance_band)


def _instruments(
    config: CoreConfig, fees: oem_tco.FeeBook, venue: str, at_ns: int
) -> dict[str, Instrument]:
    def rate(symbol: str, liquidity: oem_tco.Liquidity) -> Decimal:
        return fees.commission(venue, "spot", liquidity, at_ns, symbol=symbol).rate

    def made(symbol: str) -> Instrument:
        rules = config.execution.instruments[symbol]
        base, quote = symbol.split("/")
        return Instrument(
            symbol,
            base,
            quote,
            rules.tick_size,
            rules.lot_size,
            min_notional=rules.min_notional,
            maker_fee=rate(symbol, oem_tco.Liquidity.MAKER),
            taker_fee=rate(symbol, oem_tco.Liquidity.TAKER),
        )

    return {symbol: made(symbol) for symbol in config.runtime.symbols}
