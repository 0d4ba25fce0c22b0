"""The console offscreen, against a real mutual TLS server: what it shows and says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from api_support import NS, START_NS, TOKEN, Desk, Pki, make_pki, order, serve_in_thread
from oem_api import pb
from oem_ui.options import ConsoleOptions, read_options
from oem_ui.window import Opened, open_window, record_start
from ui_support import shown_texts, text, until


@pytest.fixture(scope="module")
def application() -> QGuiApplication:
    return QGuiApplication.instance() or QGuiApplication([])


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def busy_desk() -> Desk:
    cost = pb.CostPart(component=pb.COST_COMPONENT_SPREAD, bps=1.25, provenance="measured")
    fee = pb.CostPart(component=pb.COST_COMPONENT_FEES, bps=10.0, provenance="schedule")
    return Desk(
        orders=[order(n) for n in range(6, 0, -1)]
        + [order(0, state=pb.ORDER_STATE_REJECTED, reason="too small")],
        fills=[
            pb.Fill(
                venue="paper", trade_id=str(n), symbol="BTC/USDT", side=pb.SIDE_BUY,
                quantity="0.01500", price="60050.25", fee="0.90075", fee_asset="USDT",
                time_ns=START_NS + n * NS, costs=[cost, fee], cost_bps=11.25,
            )
            for n in range(5)
        ],
        decisions=[
            pb.Decision(
                decision_id="d1", symbol="ETH/USDT", strategy="mean_reversion", time_ns=START_NS,
                side=pb.SIDE_SELL, verdict=pb.VERDICT_REJECT, reasons=["NET_EDGE_TOO_LOW"],
                expected_edge_bps=9.5, cost_bps=12.1, net_edge_bps=-2.6,
            )
        ],
        status=pb.Status(
            version="0.1.0", mode=pb.MODE_PAPER, trading_state=pb.TRADING_STATE_ACTIVE,
            started_ns=START_NS, now_ns=START_NS + 3_725 * NS, caller="operator",
            licence=pb.Licence(state=pb.LICENCE_STATE_VALID),
        ),
        risk=pb.Risk(
            currency="USDT", equity="100123.45", daily_pnl="-12.30", gross_notional="5400.00",
            drawdown="0.0123", fees_paid="4.50",
            limits=[
                pb.RiskLimit(name="position", value="5400", limit="6000", unit="quote", used=0.9)
            ],
        ),
    )  # fmt: skip


def options_for(pki: Pki, port: int, token: str = TOKEN) -> ConsoleOptions:
    return ConsoleOptions(f"127.0.0.1:{port}", pki.client, token)


@pytest.fixture
def window(application: QGuiApplication) -> Iterator[Callable[[ConsoleOptions], Opened]]:
    opened: list[Opened] = []

    def make(options: ConsoleOptions) -> Opened:
        opened.append(open_window(options, first_wait_s=0.1))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
    application.processEvents()


def test_status_risk_and_tables_are_shown_and_the_picture_is_not_blank(
    application: QGuiApplication, pki: Pki, window, tmp_path: Path
) -> None:
    desk = busy_desk()
    with serve_in_thread(pki, desk) as (port, loop):
        opened = window(options_for(pki, port))
        until(application, lambda: text(opened, "connection") == "Connected")
        assert text(opened, "mode") == "paper"
        assert text(opened, "tradingState") == "active"
        assert text(opened, "licence") == "valid"
        assert text(opened, "uptime") == "01:02:05"
        assert text(opened, "equity") == "100123.45 USDT"
        assert text(opened, "dailyPnl") == "-12.30 USDT"
        assert text(opened, "drawdown") == "1.23 %"
        expected = {
            0: {"order-6", "rejected", "60050.25"},
            1: {"11.25", "spread 1.25, fees 10.00", "0.90075 USDT"},
            2: {"reject", "net edge too low", "-2.60", "12.10"},
            3: {"near the limit", "90.0 %", "5,400.00"},
            4: {"No alerts."},
        }
        tabs = opened.window.findChild(QObject, "tabs")
        folder = Path(os.environ.get("OEM_TEST_SCREENSHOTS", tmp_path))
        for tab, wanted in expected.items():
            tabs.setProperty("currentIndex", tab)
            until(
                application,
                lambda wanted=wanted: wanted <= set(shown_texts(opened.window.contentItem())),
            )
            image = opened.window.grabWindow()
            assert image.save(str(folder / f"console-{tab}.png"))
            colours = {
                image.pixel(x, y)
                for x in range(0, image.width(), 7)
                for y in range(0, image.height(), 7)
            }
            assert len(colours) > 8
        tabs.setProperty("currentIndex", 0)
        # Live: a new order, a halt and an alert arrive through the stream.
        loop.call(desk.publish, pb.Event(order=order(99)))
        halted = pb.Status(mode=pb.MODE_PAPER, trading_state=pb.TRADING_STATE_HALTED)
        loop.call(desk.publish, pb.Event(status=halted))
        until(application, lambda: text(opened, "tradingState") == "halted")
        until(application, lambda: "order-99" in shown_texts(opened.window.contentItem()))
        fill = pb.Fill(venue="paper", trade_id="new", price="61000.5", symbol="BTC/USDT")
        decision = pb.Decision(decision_id="d2", strategy="trend", verdict=pb.VERDICT_ACCEPT)
        risk = pb.Risk(
            currency="USDT",
            equity="99000.00",
            limits=[pb.RiskLimit(name="leverage", used=1.2, breached=True)],
        )
        alert = pb.Alert(
            severity=pb.SEVERITY_CRITICAL, what="disk full", where="/log", remedy="free space"
        )
        for event in (
            pb.Event(fill=fill),
            pb.Event(decision=decision),
            pb.Event(risk=risk),
            pb.Event(alert=alert),
            pb.Event(heartbeat=pb.Heartbeat(now_ns=START_NS)),
        ):
            loop.call(desk.publish, event)
        live = {
            1: {"61000.5", "not measured yet"},
            2: {"accept", "trend"},
            3: {"breached", "99000.00 USDT"},
            4: {"critical", "disk full (/log)", "free space"},
        }
        for tab, wanted in live.items():
            tabs.setProperty("currentIndex", tab)
            until(
                application,
                lambda wanted=wanted: wanted <= set(shown_texts(opened.window.contentItem())),
            )


def test_a_refused_token_is_explained_with_its_remedy(
    application: QGuiApplication, pki: Pki, window, tmp_path: Path
) -> None:
    with serve_in_thread(pki, Desk()) as (port, _):
        opened = window(options_for(pki, port, "wrong"))
        until(application, lambda: text(opened, "connection") == "Not connected")
        assert "No valid operator token" in text(opened, "error")
        assert text(opened, "remedy").startswith("Ask for a token")
        folder = Path(os.environ.get("OEM_TEST_SCREENSHOTS", tmp_path))
        assert opened.window.grabWindow().save(str(folder / "console-refused.png"))


def test_it_connects_again_when_the_daemon_comes_back(
    application: QGuiApplication, pki: Pki, window
) -> None:
    with serve_in_thread(pki, Desk()) as (port, _):
        opened = window(options_for(pki, port))
        until(application, lambda: text(opened, "connection") == "Connected")
    until(application, lambda: text(opened, "connection") == "Not connected")
    with serve_in_thread(pki, busy_desk(), port):
        until(application, lambda: text(opened, "connection") == "Connected")
        assert text(opened, "mode") == "paper"
        assert text(opened, "error") == ""


def test_the_command_line_insists_on_the_material(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--grpc-target", "127.0.0.1:1", "--ca", str(pki.folder / "ca.pem")]
    with pytest.raises(SystemExit):
        read_options([*base, "--grpc-use-mtls"])
    assert "--cert and --key" in capsys.readouterr().err
    pair = ["--cert", str(pki.folder / "client.pem"), "--key", str(pki.folder / "client.key")]
    with pytest.raises(SystemExit):
        read_options([*base, *pair, "--token-file", str(tmp_path / "absent")])
    assert "token cannot be read" in capsys.readouterr().err
    (tmp_path / "token").write_text("abc\n")
    options = read_options(
        [*base, *pair, "--grpc-use-mtls", "--token-file", str(tmp_path / "token")]
    )
    assert options.token == "abc"


def test_each_start_is_recorded(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "ui" / "startup.jsonl"
    record_start(log, "127.0.0.1:1", 5)
    record_start(log, "127.0.0.1:1", 6)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["time_ns"] for e in entries] == [5, 6]
    assert entries[0]["event"] == "ui_started"
