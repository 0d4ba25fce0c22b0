"""Risk profiles and the pre-trade engine that holds orders to them."""

from oem_risk.limits.engine import (
    Exposure,
    OrderFacts,
    RiskEngine,
    RiskReason,
    RiskVerdict,
    TradingState,
)
from oem_risk.limits.profile import ProfileName, RiskProfile, shipped_profile, shipped_profiles

__all__ = [
    "Exposure",
    "OrderFacts",
    "ProfileName",
    "RiskEngine",
    "RiskProfile",
    "RiskReason",
    "RiskVerdict",
    "TradingState",
    "shipped_profile",
    "shipped_profiles",
]
