"""Market data: reading it, checking it, and making it where it is missing."""

from oem_risk.data.bars import Bars, read_bars
from oem_risk.data.quality import QualityFinding, QualityReport, QualityVerdict, check_bars
from oem_risk.data.synthetic import SyntheticMarket, synthetic_bars

__all__ = [
    "Bars",
    "QualityFinding",
    "QualityReport",
    "QualityVerdict",
    "SyntheticMarket",
    "check_bars",
    "read_bars",
    "synthetic_bars",
]
