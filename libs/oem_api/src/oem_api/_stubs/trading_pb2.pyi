from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_DEMO: _ClassVar[Mode]
    MODE_PAPER: _ClassVar[Mode]
    MODE_LIVE: _ClassVar[Mode]

class TradingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRADING_STATE_UNSPECIFIED: _ClassVar[TradingState]
    TRADING_STATE_ACTIVE: _ClassVar[TradingState]
    TRADING_STATE_REDUCING: _ClassVar[TradingState]
    TRADING_STATE_HALTED: _ClassVar[TradingState]

class LicenceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LICENCE_STATE_UNSPECIFIED: _ClassVar[LicenceState]
    LICENCE_STATE_VALID: _ClassVar[LicenceState]
    LICENCE_STATE_EXPIRING: _ClassVar[LicenceState]
    LICENCE_STATE_EXPIRED: _ClassVar[LicenceState]
    LICENCE_STATE_REVOKED: _ClassVar[LicenceState]
    LICENCE_STATE_MISSING: _ClassVar[LicenceState]
    LICENCE_STATE_REFUSED: _ClassVar[LicenceState]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class OrderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_TYPE_UNSPECIFIED: _ClassVar[OrderType]
    ORDER_TYPE_MARKET: _ClassVar[OrderType]
    ORDER_TYPE_LIMIT: _ClassVar[OrderType]
    ORDER_TYPE_POST_ONLY: _ClassVar[OrderType]
    ORDER_TYPE_STOP: _ClassVar[OrderType]
    ORDER_TYPE_STOP_LIMIT: _ClassVar[OrderType]

class TimeInForce(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_IN_FORCE_UNSPECIFIED: _ClassVar[TimeInForce]
    TIME_IN_FORCE_GTC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_IOC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_FOK: _ClassVar[TimeInForce]

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_SUBMITTING: _ClassVar[OrderState]
    ORDER_STATE_UNKNOWN: _ClassVar[OrderState]
    ORDER_STATE_OPEN: _ClassVar[OrderState]
    ORDER_STATE_PARTIALLY_FILLED: _ClassVar[OrderState]
    ORDER_STATE_FILLED: _ClassVar[OrderState]
    ORDER_STATE_CANCELED: _ClassVar[OrderState]
    ORDER_STATE_EXPIRED: _ClassVar[OrderState]
    ORDER_STATE_REJECTED: _ClassVar[OrderState]
    ORDER_STATE_ABSENT: _ClassVar[OrderState]
    ORDER_STATE_QUARANTINED: _ClassVar[OrderState]

class Liquidity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIQUIDITY_UNSPECIFIED: _ClassVar[Liquidity]
    LIQUIDITY_MAKER: _ClassVar[Liquidity]
    LIQUIDITY_TAKER: _ClassVar[Liquidity]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ACCEPT: _ClassVar[Verdict]
    VERDICT_REJECT: _ClassVar[Verdict]
    VERDICT_DO_NOTHING: _ClassVar[Verdict]

class CostComponent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COST_COMPONENT_UNSPECIFIED: _ClassVar[CostComponent]
    COST_COMPONENT_DELAY: _ClassVar[CostComponent]
    COST_COMPONENT_SPREAD: _ClassVar[CostComponent]
    COST_COMPONENT_IMPACT_TEMPORARY: _ClassVar[CostComponent]
    COST_COMPONENT_IMPACT_PERMANENT: _ClassVar[CostComponent]
    COST_COMPONENT_FEES: _ClassVar[CostComponent]
    COST_COMPONENT_FUNDING: _ClassVar[CostComponent]
    COST_COMPONENT_OPPORTUNITY: _ClassVar[CostComponent]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_ORDER: _ClassVar[EventKind]
    EVENT_KIND_FILL: _ClassVar[EventKind]
    EVENT_KIND_DECISION: _ClassVar[EventKind]
    EVENT_KIND_RISK: _ClassVar[EventKind]
    EVENT_KIND_ALERT: _ClassVar[EventKind]
    EVENT_KIND_STATUS: _ClassVar[EventKind]

class ErrorCategory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CATEGORY_UNSPECIFIED: _ClassVar[ErrorCategory]
    ERROR_CATEGORY_INPUT: _ClassVar[ErrorCategory]
    ERROR_CATEGORY_TRUST: _ClassVar[ErrorCategory]
    ERROR_CATEGORY_UNAVAILABLE: _ClassVar[ErrorCategory]
    ERROR_CATEGORY_STORAGE: _ClassVar[ErrorCategory]
    ERROR_CATEGORY_STATE: _ClassVar[ErrorCategory]
MODE_UNSPECIFIED: Mode
MODE_DEMO: Mode
MODE_PAPER: Mode
MODE_LIVE: Mode
TRADING_STATE_UNSPECIFIED: TradingState
TRADING_STATE_ACTIVE: TradingState
TRADING_STATE_REDUCING: TradingState
TRADING_STATE_HALTED: TradingState
LICENCE_STATE_UNSPECIFIED: LicenceState
LICENCE_STATE_VALID: LicenceState
LICENCE_STATE_EXPIRING: LicenceState
LICENCE_STATE_EXPIRED: LicenceState
LICENCE_STATE_REVOKED: LicenceState
LICENCE_STATE_MISSING: LicenceState
LICENCE_STATE_REFUSED: LicenceState
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
ORDER_TYPE_UNSPECIFIED: OrderType
ORDER_TYPE_MARKET: OrderType
ORDER_TYPE_LIMIT: OrderType
ORDER_TYPE_POST_ONLY: OrderType
ORDER_TYPE_STOP: OrderType
ORDER_TYPE_STOP_LIMIT: OrderType
TIME_IN_FORCE_UNSPECIFIED: TimeInForce
TIME_IN_FORCE_GTC: TimeInForce
TIME_IN_FORCE_IOC: TimeInForce
TIME_IN_FORCE_FOK: TimeInForce
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_SUBMITTING: OrderState
ORDER_STATE_UNKNOWN: OrderState
ORDER_STATE_OPEN: OrderState
ORDER_STATE_PARTIALLY_FILLED: OrderState
ORDER_STATE_FILLED: OrderState
ORDER_STATE_CANCELED: OrderState
ORDER_STATE_EXPIRED: OrderState
ORDER_STATE_REJECTED: OrderState
ORDER_STATE_ABSENT: OrderState
ORDER_STATE_QUARANTINED: OrderState
LIQUIDITY_UNSPECIFIED: Liquidity
LIQUIDITY_MAKER: Liquidity
LIQUIDITY_TAKER: Liquidity
VERDICT_UNSPECIFIED: Verdict
VERDICT_ACCEPT: Verdict
VERDICT_REJECT: Verdict
VERDICT_DO_NOTHING: Verdict
COST_COMPONENT_UNSPECIFIED: CostComponent
COST_COMPONENT_DELAY: CostComponent
COST_COMPONENT_SPREAD: CostComponent
COST_COMPONENT_IMPACT_TEMPORARY: CostComponent
COST_COMPONENT_IMPACT_PERMANENT: CostComponent
COST_COMPONENT_FEES: CostComponent
COST_COMPONENT_FUNDING: CostComponent
COST_COMPONENT_OPPORTUNITY: CostComponent
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INFO: Severity
SEVERITY_WARNING: Severity
SEVERITY_CRITICAL: Severity
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_ORDER: EventKind
EVENT_KIND_FILL: EventKind
EVENT_KIND_DECISION: EventKind
EVENT_KIND_RISK: EventKind
EVENT_KIND_ALERT: EventKind
EVENT_KIND_STATUS: EventKind
ERROR_CATEGORY_UNSPECIFIED: ErrorCategory
ERROR_CATEGORY_INPUT: ErrorCategory
ERROR_CATEGORY_TRUST: ErrorCategory
ERROR_CATEGORY_UNAVAILABLE: ErrorCategory
ERROR_CATEGORY_STORAGE: ErrorCategory
ERROR_CATEGORY_STATE: ErrorCategory

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Licence(_message.Message):
    __slots__ = ("state", "licence_id", "profile", "valid_until_ns", "features", "reason")
    STATE_FIELD_NUMBER: _ClassVar[int]
    LICENCE_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    state: LicenceState
    licence_id: str
    profile: str
    valid_until_ns: int
    features: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, state: _Optional[_Union[LicenceState, str]] = ..., licence_id: _Optional[str] = ..., profile: _Optional[str] = ..., valid_until_ns: _Optional[int] = ..., features: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("version", "mode", "trading_state", "trading_state_reason", "started_ns", "now_ns", "licence", "cycles", "market_time_ns", "strategies", "symbols", "venues", "decision_log_seq", "caller", "caller_roles", "alerts", "profile", "config_sha384")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    CYCLES_FIELD_NUMBER: _ClassVar[int]
    MARKET_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    DECISION_LOG_SEQ_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLER_ROLES_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_SHA384_FIELD_NUMBER: _ClassVar[int]
    version: str
    mode: Mode
    trading_state: TradingState
    trading_state_reason: str
    started_ns: int
    now_ns: int
    licence: Licence
    cycles: int
    market_time_ns: int
    strategies: _containers.RepeatedScalarFieldContainer[str]
    symbols: _containers.RepeatedScalarFieldContainer[str]
    venues: _containers.RepeatedScalarFieldContainer[str]
    decision_log_seq: int
    caller: str
    caller_roles: _containers.RepeatedScalarFieldContainer[str]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    profile: str
    config_sha384: str
    def __init__(self, version: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., trading_state: _Optional[_Union[TradingState, str]] = ..., trading_state_reason: _Optional[str] = ..., started_ns: _Optional[int] = ..., now_ns: _Optional[int] = ..., licence: _Optional[_Union[Licence, _Mapping]] = ..., cycles: _Optional[int] = ..., market_time_ns: _Optional[int] = ..., strategies: _Optional[_Iterable[str]] = ..., symbols: _Optional[_Iterable[str]] = ..., venues: _Optional[_Iterable[str]] = ..., decision_log_seq: _Optional[int] = ..., caller: _Optional[str] = ..., caller_roles: _Optional[_Iterable[str]] = ..., alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., profile: _Optional[str] = ..., config_sha384: _Optional[str] = ...) -> None: ...

class FeeAmount(_message.Message):
    __slots__ = ("asset", "amount")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    asset: str
    amount: str
    def __init__(self, asset: _Optional[str] = ..., amount: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("client_order_id", "symbol", "side", "type", "time_in_force", "quantity", "limit_price", "stop_price", "reduce_only", "state", "filled_quantity", "average_price", "fees", "venue", "venue_client_order_id", "venue_order_id", "reason", "strategy", "profile", "created_ns", "updated_ns", "latency_ns")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    VENUE_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_NS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_NS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: str
    limit_price: str
    stop_price: str
    reduce_only: bool
    state: OrderState
    filled_quantity: str
    average_price: str
    fees: _containers.RepeatedCompositeFieldContainer[FeeAmount]
    venue: str
    venue_client_order_id: str
    venue_order_id: str
    reason: str
    strategy: str
    profile: str
    created_ns: int
    updated_ns: int
    latency_ns: int
    def __init__(self, client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., state: _Optional[_Union[OrderState, str]] = ..., filled_quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., fees: _Optional[_Iterable[_Union[FeeAmount, _Mapping]]] = ..., venue: _Optional[str] = ..., venue_client_order_id: _Optional[str] = ..., venue_order_id: _Optional[str] = ..., reason: _Optional[str] = ..., strategy: _Optional[str] = ..., profile: _Optional[str] = ..., created_ns: _Optional[int] = ..., updated_ns: _Optional[int] = ..., latency_ns: _Optional[int] = ...) -> None: ...

class CostPart(_message.Message):
    __slots__ = ("component", "bps", "provenance")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    BPS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    component: CostComponent
    bps: float
    provenance: str
    def __init__(self, component: _Optional[_Union[CostComponent, str]] = ..., bps: _Optional[float] = ..., provenance: _Optional[str] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("venue", "trade_id", "client_order_id", "symbol", "side", "quantity", "price", "fee", "fee_asset", "liquidity", "time_ns", "costs", "cost_bps")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_ASSET_FIELD_NUMBER: _ClassVar[int]
    LIQUIDITY_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    COST_BPS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: str
    price: str
    fee: str
    fee_asset: str
    liquidity: Liquidity
    time_ns: int
    costs: _containers.RepeatedCompositeFieldContainer[CostPart]
    cost_bps: float
    def __init__(self, venue: _Optional[str] = ..., trade_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., fee: _Optional[str] = ..., fee_asset: _Optional[str] = ..., liquidity: _Optional[_Union[Liquidity, str]] = ..., time_ns: _Optional[int] = ..., costs: _Optional[_Iterable[_Union[CostPart, _Mapping]]] = ..., cost_bps: _Optional[float] = ...) -> None: ...

class Margin(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("decision_id", "time_ns", "strategy", "profile", "symbol", "venue", "side", "quantity", "reference_price", "verdict", "reasons", "expected_edge_bps", "net_edge_bps", "net_edge_low_bps", "stressed_net_edge_bps", "cost_bps", "cost_low_bps", "cost_high_bps", "costs", "margins", "client_order_id")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_PRICE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_EDGE_BPS_FIELD_NUMBER: _ClassVar[int]
    NET_EDGE_BPS_FIELD_NUMBER: _ClassVar[int]
    NET_EDGE_LOW_BPS_FIELD_NUMBER: _ClassVar[int]
    STRESSED_NET_EDGE_BPS_FIELD_NUMBER: _ClassVar[int]
    COST_BPS_FIELD_NUMBER: _ClassVar[int]
    COST_LOW_BPS_FIELD_NUMBER: _ClassVar[int]
    COST_HIGH_BPS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    MARGINS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    time_ns: int
    strategy: str
    profile: str
    symbol: str
    venue: str
    side: Side
    quantity: str
    reference_price: str
    verdict: Verdict
    reasons: _containers.RepeatedScalarFieldContainer[str]
    expected_edge_bps: float
    net_edge_bps: float
    net_edge_low_bps: float
    stressed_net_edge_bps: float
    cost_bps: float
    cost_low_bps: float
    cost_high_bps: float
    costs: _containers.RepeatedCompositeFieldContainer[CostPart]
    margins: _containers.RepeatedCompositeFieldContainer[Margin]
    client_order_id: str
    def __init__(self, decision_id: _Optional[str] = ..., time_ns: _Optional[int] = ..., strategy: _Optional[str] = ..., profile: _Optional[str] = ..., symbol: _Optional[str] = ..., venue: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., quantity: _Optional[str] = ..., reference_price: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., expected_edge_bps: _Optional[float] = ..., net_edge_bps: _Optional[float] = ..., net_edge_low_bps: _Optional[float] = ..., stressed_net_edge_bps: _Optional[float] = ..., cost_bps: _Optional[float] = ..., cost_low_bps: _Optional[float] = ..., cost_high_bps: _Optional[float] = ..., costs: _Optional[_Iterable[_Union[CostPart, _Mapping]]] = ..., margins: _Optional[_Iterable[_Union[Margin, _Mapping]]] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class GetRiskRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Position(_message.Message):
    __slots__ = ("symbol", "quantity", "average_price", "mark_price", "notional", "unrealized_pnl", "realized_pnl")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    quantity: str
    average_price: str
    mark_price: str
    notional: str
    unrealized_pnl: str
    realized_pnl: str
    def __init__(self, symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., mark_price: _Optional[str] = ..., notional: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., realized_pnl: _Optional[str] = ...) -> None: ...

class RiskLimit(_message.Message):
    __slots__ = ("name", "value", "limit", "unit", "used", "breached")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    BREACHED_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    limit: str
    unit: str
    used: float
    breached: bool
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., limit: _Optional[str] = ..., unit: _Optional[str] = ..., used: _Optional[float] = ..., breached: _Optional[bool] = ...) -> None: ...

class Risk(_message.Message):
    __slots__ = ("time_ns", "currency", "equity", "cash", "gross_notional", "leverage", "daily_pnl", "drawdown", "fees_paid", "open_positions", "trading_state", "limits", "positions", "profile")
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    CASH_FIELD_NUMBER: _ClassVar[int]
    GROSS_NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    DAILY_PNL_FIELD_NUMBER: _ClassVar[int]
    DRAWDOWN_FIELD_NUMBER: _ClassVar[int]
    FEES_PAID_FIELD_NUMBER: _ClassVar[int]
    OPEN_POSITIONS_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    time_ns: int
    currency: str
    equity: str
    cash: str
    gross_notional: str
    leverage: str
    daily_pnl: str
    drawdown: str
    fees_paid: str
    open_positions: int
    trading_state: TradingState
    limits: _containers.RepeatedCompositeFieldContainer[RiskLimit]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    profile: str
    def __init__(self, time_ns: _Optional[int] = ..., currency: _Optional[str] = ..., equity: _Optional[str] = ..., cash: _Optional[str] = ..., gross_notional: _Optional[str] = ..., leverage: _Optional[str] = ..., daily_pnl: _Optional[str] = ..., drawdown: _Optional[str] = ..., fees_paid: _Optional[str] = ..., open_positions: _Optional[int] = ..., trading_state: _Optional[_Union[TradingState, str]] = ..., limits: _Optional[_Iterable[_Union[RiskLimit, _Mapping]]] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., profile: _Optional[str] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("alert_id", "time_ns", "severity", "source", "what", "where", "remedy")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    time_ns: int
    severity: Severity
    source: str
    what: str
    where: str
    remedy: str
    def __init__(self, alert_id: _Optional[str] = ..., time_ns: _Optional[int] = ..., severity: _Optional[_Union[Severity, str]] = ..., source: _Optional[str] = ..., what: _Optional[str] = ..., where: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "symbol", "open_only", "client_order_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    symbol: str
    open_only: bool
    client_order_id: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., symbol: _Optional[str] = ..., open_only: _Optional[bool] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("orders", "next_page_token")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    next_page_token: str
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListFillsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "symbol", "client_order_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    symbol: str
    client_order_id: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., symbol: _Optional[str] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class ListFillsResponse(_message.Message):
    __slots__ = ("fills", "next_page_token")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[Fill]
    next_page_token: str
    def __init__(self, fills: _Optional[_Iterable[_Union[Fill, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListDecisionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "symbol", "strategy", "verdict")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    symbol: str
    strategy: str
    verdict: Verdict
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., symbol: _Optional[str] = ..., strategy: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ...) -> None: ...

class ListDecisionsResponse(_message.Message):
    __slots__ = ("decisions", "next_page_token")
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    next_page_token: str
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SubmitOrderRequest(_message.Message):
    __slots__ = ("client_order_id", "symbol", "side", "type", "quantity", "limit_price", "stop_price", "time_in_force", "reduce_only", "reason")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: str
    limit_price: str
    stop_price: str
    time_in_force: TimeInForce
    reduce_only: bool
    reason: str
    def __init__(self, client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., reduce_only: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("client_order_id", "reason")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    reason: str
    def __init__(self, client_order_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SetTradingStateRequest(_message.Message):
    __slots__ = ("state", "reason")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    state: TradingState
    reason: str
    def __init__(self, state: _Optional[_Union[TradingState, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    def __init__(self, kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("now_ns",)
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    now_ns: int
    def __init__(self, now_ns: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("time_ns", "heartbeat", "order", "fill", "decision", "risk", "alert", "status")
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    time_ns: int
    heartbeat: Heartbeat
    order: Order
    fill: Fill
    decision: Decision
    risk: Risk
    alert: Alert
    status: Status
    def __init__(self, time_ns: _Optional[int] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., order: _Optional[_Union[Order, _Mapping]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., risk: _Optional[_Union[Risk, _Mapping]] = ..., alert: _Optional[_Union[Alert, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ...) -> None: ...

class ErrorDetail(_message.Message):
    __slots__ = ("category", "what", "where", "remedy")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    category: ErrorCategory
    what: str
    where: str
    remedy: str
    def __init__(self, category: _Optional[_Union[ErrorCategory, str]] = ..., what: _Optional[str] = ..., where: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...
