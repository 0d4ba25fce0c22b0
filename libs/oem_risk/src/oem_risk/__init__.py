"""Risk profiles, simulation, stress tests and gates that say how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oem_security.lazy import lazy_exports

if TYPE_CHECKING:
    from oem_risk.data.bars import Bars, common_times, read_bars
    from oem_risk.data.quality import QualityReport, QualityVerdict, check_bars
    from oem_risk.data.synthetic import SyntheticMarket, synthetic_bars
    from oem_risk.errors import (
        DataProblem,
        LabProblem,
        OperatorRequired,
        ProfileProblem,
        RiskError,
    )
    from oem_risk.lab.report import report_json, write_lab_report
    from oem_risk.lab.run import LabResult, LabSettings, ProfileResult, run_lab
    from oem_risk.lab.simulate import LabStrategy
    from oem_risk.lab.stress import (
        FillModel,
        LinearBook,
        StressResult,
        StressScenario,
        run_stress,
        shipped_scenarios,
    )
    from oem_risk.lab.verdict import ProbabilityGate, Verdict, probability_gate
    from oem_risk.limits.engine import (
        Exposure,
        OrderFacts,
        RiskEngine,
        RiskReason,
        RiskVerdict,
        TradingState,
    )
    from oem_risk.limits.profile import (
        ProfileName,
        RiskProfile,
        profile_from,
        shipped_profile,
        shipped_profiles,
    )

_EXPORTS = {
    "Bars": ".data.bars",
    "DataProblem": ".errors",
    "Exposure": ".limits.engine",
    "FillModel": ".lab.stress",
    "LabProblem": ".errors",
    "LabResult": ".lab.run",
    "LabSettings": ".lab.run",
    "LabStrategy": ".lab.simulate",
    "LinearBook": ".lab.stress",
    "OperatorRequired": ".errors",
    "OrderFacts": ".limits.engine",
    "ProbabilityGate": ".lab.verdict",
    "ProfileName": ".limits.profile",
    "ProfileProblem": ".errors",
    "ProfileResult": ".lab.run",
    "QualityReport": ".data.quality",
    "QualityVerdict": ".data.quality",
    "RiskEngine": ".limits.engine",
    "RiskError": ".errors",
    "RiskProfile": ".limits.profile",
    "RiskReason": ".limits.engine",
    "RiskVerdict": ".limits.engine",
    "StressResult": ".lab.stress",
    "StressScenario": ".lab.stress",
    "SyntheticMarket": ".data.synthetic",
    "TradingState": ".limits.engine",
    "Verdict": ".lab.verdict",
    "check_bars": ".data.quality",
    "common_times": ".data.bars",
    "probability_gate": ".lab.verdict",
    "profile_from": ".limits.profile",
    "read_bars": ".data.bars",
    "report_json": ".lab.report",
    "run_lab": ".lab.run",
    "run_stress": ".lab.stress",
    "shipped_profile": ".limits.profile",
    "shipped_profiles": ".limits.profile",
    "shipped_scenarios": ".lab.stress",
    "synthetic_bars": ".data.synthetic",
    "write_lab_report": ".lab.report",
}

__all__ = [
    "Bars",
    "DataProblem",
    "Exposure",
    "FillModel",
    "LabProblem",
    "LabResult",
    "LabSettings",
    "LabStrategy",
    "LinearBook",
    "OperatorRequired",
    "OrderFacts",
    "ProbabilityGate",
    "ProfileName",
    "ProfileProblem",
    "ProfileResult",
    "QualityReport",
    "QualityVerdict",
    "RiskEngine",
    "RiskError",
    "RiskProfile",
    "RiskReason",
    "RiskVerdict",
    "StressResult",
    "StressScenario",
    "SyntheticMarket",
    "TradingState",
    "Verdict",
    "check_bars",
    "common_times",
    "probability_gate",
    "profile_from",
    "read_bars",
    "report_json",
    "run_lab",
    "run_stress",
    "shipped_profile",
    "shipped_profiles",
    "shipped_scenarios",
    "synthetic_bars",
    "write_lab_report",
]

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
