"""`oem exec` on the store of a site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exec_support import make_router, market, paper
from oem_cli.__main__ import main
from oem_exec import SqliteOrderStore


@pytest.fixture
async def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site" / "var" / "exec"
    folder.mkdir(parents=True)
    store = SqliteOrderStore.open(folder / "orders.sqlite")
    router, _ = make_router(tmp_path, [paper()], store=store)
    async with router:
        await router.submit(market("order-1"))
    store.close()
    return tmp_path / "site"


def test_status_and_show_read_what_was_traded(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", "status", "--site", str(site), "--json"]) == 0
    assert "order-1" in capsys.readouterr().out
    assert main(["exec", "show", "order-1", "--site", str(site), "--json"]) == 0
    assert "filled" in json.dumps(json.loads(capsys.readouterr().out))
    assert main(["exec", "status", "--site", str(site)]) == 0
    assert "order-1" in capsys.readouterr().out
    assert main(["exec", "show", "nobody", "--site", str(site)]) == 3


def test_capabilities_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "capabilities"]) == 0
    assert "kraken" in capsys.readouterr().out


def test_an_amount_that_makes_no_sense_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for amount in ("much", "NaN", "0"):
        assert main(["exec", "certify", "binance", "--largest-notional", amount]) == 3
        assert capsys.readouterr().err.count("\n") == 1


def test_a_site_without_store_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", "status", "--site", str(tmp_path)]) != 0
    assert capsys.readouterr().err.count("\n") == 1
