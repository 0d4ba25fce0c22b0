"""Burn rates of the Site Reliability Workbook, chapter 5, table 5-8."""

from __future__ import annotations

import pytest

from oem_tco import burn_rate
from oem_tco.slo.definition import DAY_S, HOUR_S, WINDOWS

PERIOD_S = 30 * DAY_S


@pytest.mark.parametrize(
    ("share", "window_s", "rate"),
    [(0.02, HOUR_S, 14.4), (0.05, 6 * HOUR_S, 6), (0.10, DAY_S, 3), (0.10, 3 * DAY_S, 1)],
)
def test_burn_rates_for_a_period_of_30_days(share: float, window_s: int, rate: float) -> None:
    assert burn_rate(share, window_s, PERIOD_S) == pytest.approx(rate, rel=1e-12)


def test_the_windows_in_use_are_those_of_the_table() -> None:
    rates = [window.rate(PERIOD_S) for window in WINDOWS]
    assert rates == pytest.approx([14.4, 6, 3, 1])
    assert [window.long_s // window.short_s for window in WINDOWS] == [12] * 4
