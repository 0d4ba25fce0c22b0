"""Orders that are never placed twice and never forgotten: model, store, venues, router."""

from typing import TYPE_CHECKING

from oem_security.lazy import lazy_exports

if TYPE_CHECKING:
    from oem_exec.access import (
        VenueAccess as VenueAccess,
    )
    from oem_exec.access import (
        open_venues as open_venues,
    )
    from oem_exec.backoff import (
        Backoff as Backoff,
    )
    from oem_exec.breaker import (
        BreakerSettings as BreakerSettings,
    )
    from oem_exec.breaker import (
        BreakerState as BreakerState,
    )
    from oem_exec.budget import (
        Budgets as Budgets,
    )
    from oem_exec.budget import (
        SharedBudgets as SharedBudgets,
    )
    from oem_exec.desk import (
        OrderEvent as OrderEvent,
    )
    from oem_exec.dry_run import (
        DryRunReport as DryRunReport,
    )
    from oem_exec.errors import (
        BadSettings as BadSettings,
    )
    from oem_exec.errors import (
        ExecError as ExecError,
    )
    from oem_exec.errors import (
        IllegalTransition as IllegalTransition,
    )
    from oem_exec.errors import (
        IntentConflict as IntentConflict,
    )
    from oem_exec.errors import (
        InvalidOrder as InvalidOrder,
    )
    from oem_exec.errors import (
        JournalFailed as JournalFailed,
    )
    from oem_exec.errors import (
        KillSwitchEngaged as KillSwitchEngaged,
    )
    from oem_exec.errors import (
        NoRoute as NoRoute,
    )
    from oem_exec.errors import (
        NotStarted as NotStarted,
    )
    from oem_exec.errors import (
        StaleMarketData as StaleMarketData,
    )
    from oem_exec.errors import (
        StoreCorrupt as StoreCorrupt,
    )
    from oem_exec.errors import (
        StoreTooNew as StoreTooNew,
    )
    from oem_exec.errors import (
        StoreUnavailable as StoreUnavailable,
    )
    from oem_exec.errors import (
        UnknownOrder as UnknownOrder,
    )
    from oem_exec.errors import (
        UnknownSymbol as UnknownSymbol,
    )
    from oem_exec.errors import (
        UnresolvedOrders as UnresolvedOrders,
    )
    from oem_exec.errors import (
        VenueNotInstalled as VenueNotInstalled,
    )
    from oem_exec.errors import (
        VenueUnavailable as VenueUnavailable,
    )
    from oem_exec.intel.aggregator import (
        IntelSettings as IntelSettings,
    )
    from oem_exec.intel.aggregator import (
        MarketIntelAggregator as MarketIntelAggregator,
    )
    from oem_exec.intel.metrics import (
        IntelMetrics as IntelMetrics,
    )
    from oem_exec.intel.reading import (
        MarketReading as MarketReading,
    )
    from oem_exec.intel.source import (
        IntelField as IntelField,
    )
    from oem_exec.intel.source import (
        MarketSource as MarketSource,
    )
    from oem_exec.journal import (
        Journal as Journal,
    )
    from oem_exec.metrics import (
        FILLED_SHARE_BUCKETS as FILLED_SHARE_BUCKETS,
    )
    from oem_exec.metrics import (
        LATENCY_BUCKETS_S as LATENCY_BUCKETS_S,
    )
    from oem_exec.metrics import (
        RouterMetrics as RouterMetrics,
    )
    from oem_exec.model.enums import (
        InstrumentKind as InstrumentKind,
    )
    from oem_exec.model.enums import (
        KillState as KillState,
    )
    from oem_exec.model.enums import (
        Liquidity as Liquidity,
    )
    from oem_exec.model.enums import (
        OrderType as OrderType,
    )
    from oem_exec.model.enums import (
        RefusalReason as RefusalReason,
    )
    from oem_exec.model.enums import (
        Side as Side,
    )
    from oem_exec.model.enums import (
        TimeInForce as TimeInForce,
    )
    from oem_exec.model.enums import (
        UnknownCause as UnknownCause,
    )
    from oem_exec.model.fill import (
        Fill as Fill,
    )
    from oem_exec.model.instrument import (
        Instrument as Instrument,
    )
    from oem_exec.model.intent import (
        OrderIntent as OrderIntent,
    )
    from oem_exec.model.market import (
        Candle as Candle,
    )
    from oem_exec.model.market import (
        FundingQuote as FundingQuote,
    )
    from oem_exec.model.market import (
        Ticker as Ticker,
    )
    from oem_exec.model.order import (
        Order as Order,
    )
    from oem_exec.model.states import (
        OrderState as OrderState,
    )
    from oem_exec.rehearsal import (
        RehearsalVenue as RehearsalVenue,
    )
    from oem_exec.resolver import (
        ReconcileReport as ReconcileReport,
    )
    from oem_exec.router import (
        LiveExecutionRouter as LiveExecutionRouter,
    )
    from oem_exec.router import (
        RouterSettings as RouterSettings,
    )
    from oem_exec.routes import (
        Route as Route,
    )
    from oem_exec.routes import (
        RouteTable as RouteTable,
    )
    from oem_exec.sequencer import (
        Sequencer as Sequencer,
    )
    from oem_exec.simulation.latency import (
        EmpiricalLatency as EmpiricalLatency,
    )
    from oem_exec.simulation.latency import (
        FixedLatency as FixedLatency,
    )
    from oem_exec.simulation.latency import (
        LatencyModel as LatencyModel,
    )
    from oem_exec.simulation.latency import (
        LogNormalLatency as LogNormalLatency,
    )
    from oem_exec.simulation.paper import (
        PaperSettings as PaperSettings,
    )
    from oem_exec.simulation.paper import (
        PaperVenue as PaperVenue,
    )
    from oem_exec.simulation.recording import (
        Recording as Recording,
    )
    from oem_exec.simulation.recording import (
        read_recording as read_recording,
    )
    from oem_exec.simulation.replay import (
        BookShape as BookShape,
    )
    from oem_exec.simulation.walk import (
        SyntheticBook as SyntheticBook,
    )
    from oem_exec.simulation.walk import (
        synthetic_book as synthetic_book,
    )
    from oem_exec.simulation.walk import (
        walk_book as walk_book,
    )
    from oem_exec.split import (
        Slice as Slice,
    )
    from oem_exec.split import (
        VenueBook as VenueBook,
    )
    from oem_exec.split import (
        split_order as split_order,
    )
    from oem_exec.split import (
        taker_cost as taker_cost,
    )
    from oem_exec.split_router import (
        SplitOrder as SplitOrder,
    )
    from oem_exec.split_router import (
        SplitRouter as SplitRouter,
    )
    from oem_exec.store.history import (
        BookedFill as BookedFill,
    )
    from oem_exec.store.history import (
        Outcome as Outcome,
    )
    from oem_exec.store.history import (
        PageQuery as PageQuery,
    )
    from oem_exec.store.protocol import (
        Contradiction as Contradiction,
    )
    from oem_exec.store.protocol import (
        KillSwitch as KillSwitch,
    )
    from oem_exec.store.protocol import (
        OrderStore as OrderStore,
    )
    from oem_exec.store.sqlite import (
        SqliteOrderStore as SqliteOrderStore,
    )
    from oem_exec.venue import (
        Accepted as Accepted,
    )
    from oem_exec.venue import (
        AmendMode as AmendMode,
    )
    from oem_exec.venue import (
        BookSnapshot as BookSnapshot,
    )
    from oem_exec.venue import (
        Capabilities as Capabilities,
    )
    from oem_exec.venue import (
        Found as Found,
    )
    from oem_exec.venue import (
        Limit as Limit,
    )
    from oem_exec.venue import (
        NotFound as NotFound,
    )
    from oem_exec.venue import (
        Refused as Refused,
    )
    from oem_exec.venue import (
        RequestKind as RequestKind,
    )
    from oem_exec.venue import (
        TellsTrades as TellsTrades,
    )
    from oem_exec.venue import (
        Unknown as Unknown,
    )
    from oem_exec.venue import (
        Venue as Venue,
    )
    from oem_exec.venue import (
        VenueOrder as VenueOrder,
    )
    from oem_exec.venue import (
        VenueTrade as VenueTrade,
    )

_EXPORTS = {
    "EmpiricalLatency": ".simulation.latency",
    "Recording": ".simulation.recording",
    "read_recording": ".simulation.recording",
    "BookShape": ".simulation.replay",
    "SplitOrder": ".split_router",
    "SplitRouter": ".split_router",
    "taker_cost": ".split",
    "DryRunReport": ".dry_run",
    "RehearsalVenue": ".rehearsal",
    "VenueAccess": ".access",
    "open_venues": ".access",
    "FundingQuote": ".model.market",
    "Candle": ".model.market",
    "Ticker": ".model.market",
    "IntelField": ".intel.source",
    "MarketSource": ".intel.source",
    "IntelMetrics": ".intel.metrics",
    "IntelSettings": ".intel.aggregator",
    "MarketIntelAggregator": ".intel.aggregator",
    "MarketReading": ".intel.reading",
    "Accepted": ".venue",
    "AmendMode": ".venue",
    "Backoff": ".backoff",
    "BadSettings": ".errors",
    "BookSnapshot": ".venue",
    "BreakerSettings": ".breaker",
    "BreakerState": ".breaker",
    "Budgets": ".budget",
    "Capabilities": ".venue",
    "Contradiction": ".store.protocol",
    "ExecError": ".errors",
    "Fill": ".model.fill",
    "FixedLatency": ".simulation.latency",
    "Found": ".venue",
    "IllegalTransition": ".errors",
    "Instrument": ".model.instrument",
    "InstrumentKind": ".model.enums",
    "IntentConflict": ".errors",
    "InvalidOrder": ".errors",
    "Journal": ".journal",
    "JournalFailed": ".errors",
    "KillState": ".model.enums",
    "KillSwitch": ".store.protocol",
    "KillSwitchEngaged": ".errors",
    "LatencyModel": ".simulation.latency",
    "Limit": ".venue",
    "Liquidity": ".model.enums",
    "LiveExecutionRouter": ".router",
    "LogNormalLatency": ".simulation.latency",
    "NoRoute": ".errors",
    "NotFound": ".venue",
    "NotStarted": ".errors",
    "Order": ".model.order",
    "OrderEvent": ".desk",
    "OrderIntent": ".model.intent",
    "OrderState": ".model.states",
    "OrderStore": ".store.protocol",
    "OrderType": ".model.enums",
    "PaperSettings": ".simulation.paper",
    "PaperVenue": ".simulation.paper",
    "ReconcileReport": ".resolver",
    "RefusalReason": ".model.enums",
    "Refused": ".venue",
    "RequestKind": ".venue",
    "Route": ".routes",
    "RouteTable": ".routes",
    "FILLED_SHARE_BUCKETS": ".metrics",
    "LATENCY_BUCKETS_S": ".metrics",
    "RouterMetrics": ".metrics",
    "Slice": ".split",
    "VenueBook": ".split",
    "split_order": ".split",
    "RouterSettings": ".router",
    "Sequencer": ".sequencer",
    "SharedBudgets": ".budget",
    "Side": ".model.enums",
    "SqliteOrderStore": ".store.sqlite",
    "BookedFill": ".store.history",
    "Outcome": ".store.history",
    "PageQuery": ".store.history",
    "StaleMarketData": ".errors",
    "StoreCorrupt": ".errors",
    "StoreTooNew": ".errors",
    "StoreUnavailable": ".errors",
    "SyntheticBook": ".simulation.walk",
    "TimeInForce": ".model.enums",
    "Unknown": ".venue",
    "UnknownCause": ".model.enums",
    "UnknownOrder": ".errors",
    "UnknownSymbol": ".errors",
    "UnresolvedOrders": ".errors",
    "Venue": ".venue",
    "VenueNotInstalled": ".errors",
    "VenueOrder": ".venue",
    "VenueTrade": ".venue",
    "TellsTrades": ".venue",
    "VenueUnavailable": ".errors",
    "synthetic_book": ".simulation.walk",
    "walk_book": ".simulation.walk",
}

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

__all__ = [
    "FILLED_SHARE_BUCKETS",
    "LATENCY_BUCKETS_S",
    "Accepted",
    "AmendMode",
    "Backoff",
    "BadSettings",
    "BookShape",
    "BookSnapshot",
    "BookedFill",
    "BreakerSettings",
    "BreakerState",
    "Budgets",
    "Candle",
    "Capabilities",
    "Contradiction",
    "DryRunReport",
    "EmpiricalLatency",
    "ExecError",
    "Fill",
    "FixedLatency",
    "Found",
    "FundingQuote",
    "IllegalTransition",
    "Instrument",
    "InstrumentKind",
    "IntelField",
    "IntelMetrics",
    "IntelSettings",
    "IntentConflict",
    "InvalidOrder",
    "Journal",
    "JournalFailed",
    "KillState",
    "KillSwitch",
    "KillSwitchEngaged",
    "LatencyModel",
    "Limit",
    "Liquidity",
    "LiveExecutionRouter",
    "LogNormalLatency",
    "MarketIntelAggregator",
    "MarketReading",
    "MarketSource",
    "NoRoute",
    "NotFound",
    "NotStarted",
    "Order",
    "OrderEvent",
    "OrderIntent",
    "OrderState",
    "OrderStore",
    "OrderType",
    "Outcome",
    "PageQuery",
    "PaperSettings",
    "PaperVenue",
    "ReconcileReport",
    "Recording",
    "RefusalReason",
    "Refused",
    "RehearsalVenue",
    "RequestKind",
    "Route",
    "RouteTable",
    "RouterMetrics",
    "RouterSettings",
    "Sequencer",
    "SharedBudgets",
    "Side",
    "Slice",
    "SplitOrder",
    "SplitRouter",
    "SqliteOrderStore",
    "StaleMarketData",
    "StoreCorrupt",
    "StoreTooNew",
    "StoreUnavailable",
    "SyntheticBook",
    "TellsTrades",
    "Ticker",
    "TimeInForce",
    "Unknown",
    "UnknownCause",
    "UnknownOrder",
    "UnknownSymbol",
    "UnresolvedOrders",
    "Venue",
    "VenueAccess",
    "VenueBook",
    "VenueNotInstalled",
    "VenueOrder",
    "VenueTrade",
    "VenueUnavailable",
    "open_venues",
    "read_recording",
    "split_order",
    "synthetic_book",
    "taker_cost",
    "walk_book",
]
