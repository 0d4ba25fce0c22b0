"""The main job on recorded bars; a file of its own, so that it runs beside the synthetic one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_process import oem

pytestmark = pytest.mark.e2e


@pytest.mark.realdata
def test_the_demo_trades_on_recorded_bars(shared_data: Path, tmp_path: Path) -> None:
    words = ("--paths", "100", "--bars", "90", "--data", shared_data, "--json")
    done = oem("demo", "--site", tmp_path / "site", *words)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["synthetic_data"] is False
    assert result["orders"] > 5
