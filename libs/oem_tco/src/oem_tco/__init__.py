"""What trading cost, to the last basis point, and decisions that take it into account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oem_security.lazy import lazy_exports

if TYPE_CHECKING:
    from oem_tco.analysis.groups import Dimension, GroupCost, group_costs
    from oem_tco.analysis.markouts import LEDGER_HORIZONS_NS, ledger_markouts
    from oem_tco.analysis.outliers import Outlier, find_outliers
    from oem_tco.analysis.stress import (
        DEFAULT_COST_SCENARIOS,
        CostScenario,
        StressedCost,
        StressReport,
        load_scenarios,
        stress_costs,
    )
    from oem_tco.analysis.trend import CostTrend, Direction, TrendFit, cost_trends, fit_trend
    from oem_tco.analysis.volatility import Volatility, ledger_volatility
    from oem_tco.analysis.worst import Rank, WorstOrder, executed_bps, worst_orders
    from oem_tco.decision.facts import (
        Candidate,
        CandidateKind,
        ComplianceFacts,
        DecisionInputs,
        RiskFacts,
        StressFacts,
    )
    from oem_tco.decision.orchestrator import Decision, DecisionOrchestrator, Reason, Verdict
    from oem_tco.decision.policy import DecisionPolicy, Thresholds
    from oem_tco.decision.record import ReplayResult, choice_records, decision_records, replay
    from oem_tco.decision.smoke import SmokeCase, SmokeResult, smoke
    from oem_tco.errors import InputError, LedgerError, OemTcoError, ReplayError, ReportError
    from oem_tco.fees.book import Commission, FeeAccount, FeeBook, traded_volume
    from oem_tco.impact.almgren_2005 import AlmgrenImpact
    from oem_tco.impact.almgren_chriss import AlmgrenChriss, ExecutionPlan
    from oem_tco.impact.calibrate import (
        Coefficient,
        LinearFit,
        PowerLawFit,
        fit_permanent,
        fit_power_law,
        walk_costs_bps,
    )
    from oem_tco.impact.kernel import ExponentialKernel, PowerKernel, TableKernel, TransientImpact
    from oem_tco.impact.power_law import PowerLawImpact
    from oem_tco.inputs.findings import (
        Finding,
        FindingCode,
        Findings,
        Treatment,
    )
    from oem_tco.inputs.read import (
        InputTable,
        read_table,
    )
    from oem_tco.inputs.schema import (
        SCHEMAS,
        TableName,
        TableSchema,
    )
    from oem_tco.ledger.analysis import CostTotal, TcoResult, analyze
    from oem_tco.ledger.funding import (
        FundingRate,
        funding_cost,
        funding_of_holding,
        settlements,
    )
    from oem_tco.ledger.rows import FillRow, OrderRow
    from oem_tco.ledger.shortfall import Shortfall, shortfall
    from oem_tco.ledger.store import CostLedger, LedgerRows, read_ledger
    from oem_tco.pretrade.cost_estimate import CostEstimate, CostPart
    from oem_tco.pretrade.coverage import CoverageTracker, realised_cost_bps
    from oem_tco.pretrade.estimate import EstimateModel, estimate
    from oem_tco.pretrade.market import MarketView, OrderQuery
    from oem_tco.report.audit import write_decision_report, write_incident_report
    from oem_tco.report.cost_pdf import CostReading, read_costs
    from oem_tco.report.files import (
        ReportCheck,
        ReportPaths,
        digest_inputs,
        validate_report,
        write_report,
    )
    from oem_tco.report.incidents import Incident, IncidentKind, LogRecord, find_incidents
    from oem_tco.report.inputs import (
        last_moment,
        only_orders,
        read_unchanged,
        read_with_digests,
        schedules_met,
    )
    from oem_tco.report.points import MarkoutPoint, markout_points
    from oem_tco.slo.definition import (
        DEFAULT_SLOS,
        BurnWindow,
        Indicator,
        SloDefinition,
        burn_rate,
    )
    from oem_tco.slo.measure import Measurement, SloStatus, measure_slo
    from oem_tco.slo.report import slo_report, write_slo_report
    from oem_tco.slo.rules import MetricSource, rules_yaml
    from oem_tco.tables.costs import (
        CostRules,
        TableCosts,
        TcoTables,
        cost_tables,
    )
    from oem_tco.tables.fees import (
        FeeRules,
    )
    from oem_tco.tables.files import (
        ledger_tables,
        order_totals,
        write_costs,
        write_partition,
    )
    from oem_tco.tables.group import (
        group_partitions,
    )
    from oem_tco.tables.group_pieces import (
        GroupSpec,
    )
    from oem_tco.tables.markouts import (
        MarkoutMean,
        markout_curve,
        symbol_markouts,
    )
    from oem_tco.tables.partition import (
        cost_partitions,
        merge_costs,
        split_tables,
    )
    from oem_tco.tables.rolling import RollingVolume
    from oem_tco.tables.rows import (
        cost_result,
        ledger_rows,
        write_ledger,
    )
    from oem_tco.tables.volume import with_traded_volume
    from oem_tco.terms import (
        Benchmark,
        Component,
        DelayConvention,
        Liquidity,
        OrderType,
        Provenance,
        Side,
    )

_EXPORTS = {
    name: module
    for module, names in {
        ".analysis.groups": "Dimension GroupCost group_costs",
        ".analysis.markouts": "LEDGER_HORIZONS_NS ledger_markouts",
        ".analysis.outliers": "Outlier find_outliers",
        ".analysis.stress": "DEFAULT_COST_SCENARIOS CostScenario StressReport StressedCost "
        "load_scenarios stress_costs",
        ".analysis.trend": "CostTrend Direction TrendFit cost_trends fit_trend",
        ".analysis.volatility": "Volatility ledger_volatility",
        ".analysis.worst": "Rank WorstOrder executed_bps worst_orders",
        ".decision.facts": "Candidate CandidateKind ComplianceFacts DecisionInputs RiskFacts "
        "StressFacts",
        ".decision.orchestrator": "Decision DecisionOrchestrator Reason Verdict",
        ".decision.policy": "DecisionPolicy Thresholds",
        ".decision.record": "ReplayResult choice_records decision_records replay",
        ".decision.smoke": "SmokeCase SmokeResult smoke",
        ".errors": "InputError LedgerError OemTcoError ReplayError ReportError",
        ".fees.book": "Commission FeeAccount FeeBook traded_volume",
        ".impact.almgren_2005": "AlmgrenImpact",
        ".impact.almgren_chriss": "AlmgrenChriss ExecutionPlan",
        ".impact.calibrate": "Coefficient LinearFit PowerLawFit fit_permanent fit_power_law "
        "walk_costs_bps",
        ".impact.kernel": "ExponentialKernel PowerKernel TableKernel TransientImpact",
        ".impact.power_law": "PowerLawImpact",
        ".ledger.analysis": "CostTotal TcoResult analyze",
        ".ledger.funding": "FundingRate funding_cost funding_of_holding settlements",
        ".ledger.rows": "FillRow OrderRow",
        ".ledger.shortfall": "Shortfall shortfall",
        ".ledger.store": "CostLedger LedgerRows read_ledger",
        ".pretrade.coverage": "CoverageTracker realised_cost_bps",
        ".pretrade.cost_estimate": "CostEstimate CostPart",
        ".pretrade.estimate": "EstimateModel estimate",
        ".pretrade.market": "MarketView OrderQuery",
        ".report.audit": "write_decision_report write_incident_report",
        ".report.cost_pdf": "CostReading read_costs",
        ".report.points": "MarkoutPoint markout_points",
        ".report.files": "ReportCheck ReportPaths digest_inputs validate_report write_report",
        ".report.inputs": "last_moment only_orders read_unchanged read_with_digests schedules_met",
        ".report.incidents": "Incident IncidentKind LogRecord find_incidents",
        ".slo.definition": "DEFAULT_SLOS BurnWindow Indicator SloDefinition burn_rate",
        ".slo.measure": "Measurement SloStatus measure_slo",
        ".slo.report": "slo_report write_slo_report",
        ".slo.rules": "MetricSource rules_yaml",
        ".terms": "Benchmark Component DelayConvention Liquidity OrderType Provenance Side",
        ".inputs.schema": "SCHEMAS TableName TableSchema",
        ".inputs.read": "InputTable read_table",
        ".inputs.findings": "Finding FindingCode Findings Treatment",
        ".tables.costs": "CostRules TableCosts TcoTables cost_tables",
        ".tables.fees": "FeeRules",
        ".tables.rolling": "RollingVolume",
        ".tables.volume": "with_traded_volume",
        ".tables.markouts": "MarkoutMean markout_curve symbol_markouts",
        ".tables.group": "group_partitions",
        ".tables.group_pieces": "GroupSpec",
        ".tables.partition": "cost_partitions merge_costs split_tables",
        ".tables.files": "ledger_tables order_totals write_costs write_partition",
        ".tables.rows": "cost_result ledger_rows write_ledger",
    }.items()
    for name in names.split()
}

__all__ = [
    "DEFAULT_COST_SCENARIOS",
    "DEFAULT_SLOS",
    "LEDGER_HORIZONS_NS",
    "SCHEMAS",
    "AlmgrenChriss",
    "AlmgrenImpact",
    "Benchmark",
    "BurnWindow",
    "Candidate",
    "CandidateKind",
    "Coefficient",
    "Commission",
    "ComplianceFacts",
    "Component",
    "CostEstimate",
    "CostLedger",
    "CostPart",
    "CostReading",
    "CostRules",
    "CostScenario",
    "CostTotal",
    "CostTrend",
    "CoverageTracker",
    "Decision",
    "DecisionInputs",
    "DecisionOrchestrator",
    "DecisionPolicy",
    "DelayConvention",
    "Dimension",
    "Direction",
    "EstimateModel",
    "ExecutionPlan",
    "ExponentialKernel",
    "FeeAccount",
    "FeeBook",
    "FeeRules",
    "FillRow",
    "Finding",
    "FindingCode",
    "Findings",
    "FundingRate",
    "GroupCost",
    "GroupSpec",
    "Incident",
    "IncidentKind",
    "Indicator",
    "InputError",
    "InputTable",
    "LedgerError",
    "LedgerRows",
    "LinearFit",
    "Liquidity",
    "LogRecord",
    "MarketView",
    "MarkoutMean",
    "MarkoutPoint",
    "Measurement",
    "MetricSource",
    "OemTcoError",
    "OrderQuery",
    "OrderRow",
    "OrderType",
    "Outlier",
    "PowerKernel",
    "PowerLawFit",
    "PowerLawImpact",
    "Provenance",
    "Rank",
    "Reason",
    "ReplayError",
    "ReplayResult",
    "ReportCheck",
    "ReportError",
    "ReportPaths",
    "RiskFacts",
    "RollingVolume",
    "Shortfall",
    "Side",
    "SloDefinition",
    "SloStatus",
    "SmokeCase",
    "SmokeResult",
    "StressFacts",
    "StressReport",
    "StressedCost",
    "TableCosts",
    "TableKernel",
    "TableName",
    "TableSchema",
    "TcoResult",
    "TcoTables",
    "Thresholds",
    "TransientImpact",
    "Treatment",
    "TrendFit",
    "Verdict",
    "Volatility",
    "WorstOrder",
    "analyze",
    "burn_rate",
    "choice_records",
    "cost_partitions",
    "cost_result",
    "cost_tables",
    "cost_trends",
    "decision_records",
    "digest_inputs",
    "estimate",
    "executed_bps",
    "find_incidents",
    "find_outliers",
    "fit_permanent",
    "fit_power_law",
    "fit_trend",
    "funding_cost",
    "funding_of_holding",
    "group_costs",
    "group_partitions",
    "last_moment",
    "ledger_markouts",
    "ledger_rows",
    "ledger_tables",
    "ledger_volatility",
    "load_scenarios",
    "markout_curve",
    "markout_points",
    "measure_slo",
    "merge_costs",
    "only_orders",
    "order_totals",
    "read_costs",
    "read_ledger",
    "read_table",
    "read_unchanged",
    "read_with_digests",
    "realised_cost_bps",
    "replay",
    "rules_yaml",
    "schedules_met",
    "settlements",
    "shortfall",
    "slo_report",
    "smoke",
    "split_tables",
    "stress_costs",
    "symbol_markouts",
    "traded_volume",
    "validate_report",
    "walk_costs_bps",
    "with_traded_volume",
    "worst_orders",
    "write_costs",
    "write_decision_report",
    "write_incident_report",
    "write_ledger",
    "write_partition",
    "write_report",
    "write_slo_report",
]

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
