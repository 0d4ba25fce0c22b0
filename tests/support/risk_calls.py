"""One good call of each public function of `oem_risk` that takes numbers, for tests to spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import oem_risk as r
from risk_data import hourly, rates

RNG = np.random.default_rng(42)
RETURNS = RNG.standard_normal(600) * 0.02
TABLE = np.stack([RETURNS, RNG.standard_normal(600) * 0.03])
EQUITY = 100 * np.exp(np.cumsum(RETURNS))
COVARIANCE = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])
FORECAST = r.NormalForecast(np.zeros(600), np.full(600, 0.02))
HITS = RNG.random(600) < 0.01
PROFILE = r.shipped_profile("balanced")
HOLDING = r.Holding("X", 50_000.0, 1e9, 2.0)
FACTORS = r.FactorModel(
    ("market",), ("X",), np.array([[1.0]]), np.array([[9e-4]]), np.zeros(1), np.array([0.03]),
    500, RNG.standard_normal((500, 1)) * 0.03,
)  # fmt: skip
SHOCK = r.FactorShock(name="s", title="t", shocks={"market": -0.1})
SCENE = {"prices": np.array([60_000.0]), "depths": np.array([50.0]), "spread_bps": 2.0,
         "equity": 1e5}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A function, arguments that are good, and which of them are columns and numbers.

    Attributes:
        function: The function.
        good: Arguments it takes.
        columns: Names of arguments that are columns or tables of numbers.
        numbers: Names of arguments that are single numbers.
        constant: Columns that may not be constant.
        short: Columns whose first value alone is too little.
    """

    function: Callable[..., Any]
    good: dict[str, Any]
    columns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    short: tuple[str, ...] = field(default=())


def _sample(function: Callable[..., Any], count: int = 600, **more: Any) -> Call:
    return Call(
        function, {"returns": RETURNS[:count], **more}, ("returns",), ("level", "confidence"),
        ("returns",), ("returns",),
    )  # fmt: skip


def _equity(function: Callable[..., Any], *numbers: str) -> Call:
    return Call(function, {"equity": EQUITY}, ("equity",), numbers)


CALLS: tuple[Call, ...] = (
    _sample(r.historical_var),
    _sample(r.historical_es),
    _sample(r.normal_var),
    _sample(r.normal_es),
    _sample(r.cornish_fisher_var),
    _sample(r.cornish_fisher_es),
    Call(r.bootstrap_estimate,
         {"returns": RETURNS[:60], "statistic": np.median, "convention": "median"}, ("returns",),
         ("confidence",), ("returns",), ("returns",)),
    _sample(r.filtered_var, 120, asymmetric=False),
    _sample(r.filtered_es, 120, asymmetric=False),
    Call(r.sharpe_ratio, {"returns": RETURNS}, ("returns",),
         ("risk_free", "periods_per_year", "confidence"), ("returns",), ("returns",)),
    Call(r.sortino_ratio, {"returns": RETURNS}, ("returns",),
         ("target", "periods_per_year", "confidence"), ("returns",), ("returns",)),
    _equity(r.max_drawdown),
    _equity(r.drawdowns),
    _equity(r.average_drawdown),
    _equity(r.ulcer_index),
    _equity(r.time_under_water),
    _equity(r.conditional_drawdown, "level"),
    Call(r.drawdown_quantile, {"max_drawdowns": np.abs(RETURNS)}, ("max_drawdowns",),
         ("level", "confidence")),
    Call(r.brownian_drawdown_probability, {"depth": 1.0}, (), ("depth", "deviation", "horizon")),
    Call(r.brownian_drawdown_mean, {}, (), ("deviation", "horizon")),
    Call(r.brownian_ruin_probability, {"distance": 1.0, "drift": 0.1, "deviation": 1.0}, (),
         ("distance", "drift", "deviation")),
    Call(r.ruin_probability, {"lowest": EQUITY, "barrier": 50.0}, ("lowest",),
         ("barrier", "confidence")),
    Call(r.certifying_paths, {"limit": 0.01}, (), ("limit", "confidence")),
    Call(r.order_statistic_ranks, {"n": 1000, "tail": 0.01}, (), ("tail", "confidence")),
    Call(r.normal_tail, {"level": 0.99}, (), ("level", "mean", "deviation")),
    Call(r.lognormal_tail, {"level": 0.99, "price": 100.0, "drift": 0.1, "volatility": 0.5,
                            "horizon": 1.0}, (),
         ("level", "price", "drift", "volatility", "horizon")),
    Call(r.clopper_pearson, {"events": 3, "trials": 100, "confidence": 0.95}, (),
         ("confidence",)),
    Call(r.confidence_sequence, {"events": 3, "trials": 100}, (), ("confidence", "expected")),
    Call(r.probability_gate, {"events": 3, "paths": 100, "limit": 0.05}, (),
         ("limit", "confidence")),
    Call(r.sequential_gate, {"events": 3, "paths": 100, "limit": 0.05}, (),
         ("limit", "confidence")),
    Call(r.liquidity_adjusted, {"market": r.historical_var(RETURNS),
                                "relative_spreads": np.abs(RETURNS)},
         ("relative_spreads",), ("position", "multiple")),
    Call(r.normal_var_contributions, {"positions": [1.0, 2.0], "covariance": COVARIANCE},
         ("positions", "covariance"), ("level",)),
    Call(r.normal_es_contributions, {"positions": [1.0, 2.0], "covariance": COVARIANCE},
         ("positions", "covariance"), ("level",)),
    Call(r.historical_es_contributions, {"positions": [1.0, 2.0], "returns": TABLE.T},
         ("positions", "returns"), ("level",)),
    Call(r.simulated_mean, {"values": RETURNS}, ("values",), ("confidence",)),
    Call(r.antithetic_mean, {"values": RETURNS}, ("values",), ("confidence",)),
    Call(r.control_mean, {"values": RETURNS, "control": RETURNS + 0.01 * TABLE[1],
                          "expected": 0.0},
         ("values", "control"), ("expected", "confidence")),
    Call(r.controlled_mean, {"values": RETURNS, "control": TABLE[1], "expected": 0.0},
         ("values", "control"), ("expected",)),
    Call(r.politis_white, {"series": RETURNS}, ("series",), (), ("series",), ("series",)),
    Call(r.ar1_block_length, {"coefficient": 0.7, "n": 200}, (), ("coefficient",)),
    Call(r.fit_garch, {"returns": RETURNS}, ("returns",), (), ("returns",), ("returns",)),
    Call(r.fit_merton, {"log_returns": TABLE}, ("log_returns",), (), ("log_returns",),
         ("log_returns",)),
    Call(r.fit_paths, {"kind": r.PathKind.GBM, "log_returns": TABLE}, ("log_returns",), (),
         ("log_returns",), ("log_returns",)),
    Call(r.fit_paths, {"kind": r.PathKind.STATIONARY, "log_returns": TABLE, "block": 5.0},
         ("log_returns",), ("block",), ("log_returns",), ("log_returns",)),
    Call(r.kupiec, {"exceptions": 3, "observations": 250}, (), ("level",)),
    Call(r.kupiec_exact, {"exceptions": 3, "observations": 250}, (), ("level",)),
    Call(r.kupiec_region, {"observations": 250}, (), ("level", "confidence")),
    Call(r.independence, {"hits": HITS}, ("hits",), (), (), ("hits",)),
    Call(r.conditional_coverage, {"hits": HITS}, ("hits",), ("level",), (), ("hits",)),
    Call(r.traffic_light, {"exceptions": 3}, (), ("level",)),
    Call(r.traffic_light_overlapping, {"exceptions": 3, "horizon": 5, "simulations": 200}, (),
         ("level",)),
    Call(r.zone_bounds, {}, (), ("level",)),
    Call(r.exceptions_of, {"returns": RETURNS, "var": np.full(600, 0.03)}, ("returns", "var")),
    Call(r.acerbi_szekely_z1, {"returns": RETURNS, "forecast": FORECAST, "simulations": 200},
         ("returns",), ("level",)),
    Call(r.acerbi_szekely_z2, {"returns": RETURNS, "forecast": FORECAST, "simulations": 200},
         ("returns",), ("level",)),
    Call(r.acerbi_szekely_z3, {"returns": RETURNS, "forecast": FORECAST, "simulations": 200},
         ("returns",), ("level",)),
    Call(r.multinomial_test, {"probabilities": RNG.random(600)}, ("probabilities",), ("level",)),
    Call(r.multinomial_counts, {"counts": (580, 8, 6, 4, 2)}, (), ("level",)),
    Call(r.fit_factors, {"factors": {"f": RETURNS}, "returns": {"X": TABLE[1]}}),
    Call(r.apply_shock, {"shock": SHOCK, "holdings": [HOLDING], "model": FACTORS, "equity": 1e5},
         (), ("equity",)),
    Call(r.reverse_stress, {"holdings": [HOLDING], "model": FACTORS, "profile": PROFILE,
                            "limit": r.BrokenLimit.DRAWDOWN, "equity": 1e5},
         (), ("equity", "horizon_days")),
    Call(r.run_stress, {"scenario": r.shipped_scenarios()[0], "profile": PROFILE,
                        "fills": r.LinearBook(), **SCENE},
         ("prices", "depths"), ("spread_bps", "equity")),
    Call(r.mildest_scenario, {"scenario": r.shipped_scenarios()[0], "profile": PROFILE,
                              "fills": r.LinearBook(), **SCENE, "history": EQUITY},
         ("prices", "depths", "history"), ("spread_bps", "equity")),
    Call(r.cross_check, {"bars": hourly(200), "other": hourly(200)}, (), ("tolerance",)),
    Call(r.funding_of, {"funding": rates(50)}),
    Call(r.sized_exposure, {"targets": [1.0, -0.5], "volatility": [0.5, 0.8],
                            "profile": PROFILE}, ("volatility",)),
    Call(r.order_parts, {"wanted": [0.3, -0.1], "held": [0.1, 0.1], "profile": PROFILE},
         ("wanted", "held")),
    Call(r.SyntheticMarket, {"start_price": 100.0}, (),
         ("start_price", "annual_volatility", "annual_drift", "alpha", "beta", "jumps_per_year",
          "jump_volatility", "daily_volume")),
    Call(r.Holding, {"symbol": "X", "notional": 1.0, "daily_notional": 1.0, "spread_bps": 1.0},
         (), ("notional", "daily_notional", "spread_bps")),
    Call(r.Haircut, {}, (), ("spread_multiplier", "depth_divisor", "coefficient",
                             "participation")),
)  # fmt: skip
