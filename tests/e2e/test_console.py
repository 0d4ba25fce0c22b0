"""The console on the real daemon: what a person sees is what the daemon did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from oem_api import pb
from oem_cli.demo.process import DaemonProcess
from oem_cli.remote import connect
from oem_ui.options import read_options
from oem_ui.window import open_window
from site_support import MadeSite, make_site
from ui_support import shown_texts, text, until

pytestmark = pytest.mark.e2e


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[tuple[MadeSite, DaemonProcess, str]]:
    made = make_site(tmp_path, bars=120)
    daemon = DaemonProcess(made.site)
    try:
        yield made, daemon, daemon.wait_ready()["grpc"]
    finally:
        daemon.stop()


def test_the_console_shows_what_the_daemon_does_and_says_when_it_is_gone(
    trading: tuple[MadeSite, DaemonProcess, str],
) -> None:
    made, daemon, target = trading
    application = QGuiApplication.instance() or QGuiApplication([])
    mtls = made.site.mtls
    words = ["--grpc-target", target, "--grpc-use-mtls", "--ca", str(mtls / "ca.pem")]
    words += ["--cert", str(mtls / "client.pem"), "--key", str(mtls / "client.key")]
    words += ["--token-file", str(next(made.site.tokens.glob("*.token")))]
    options = read_options(words)
    opened = open_window(options, first_wait_s=0.1)
    try:
        until(application, lambda: text(opened, "connection") == "Connected")
        assert (text(opened, "mode"), text(opened, "licence")) == ("paper", "valid")
        with connect(made.site, made.token) as client:
            sent = client.submit_order(
                pb.SubmitOrderRequest(
                    client_order_id="seen-by-a-person",
                    symbol="BTC/USDT",
                    quantity="0.01",
                    side=pb.SIDE_BUY,
                    type=pb.ORDER_TYPE_MARKET,
                    reason="console test",
                )
            )
            assert sent.state == pb.ORDER_STATE_FILLED
            shown = opened.window.contentItem
            until(application, lambda: "seen-by-a-person" in shown_texts(shown()))
            fills = client.fills(client_order_id="seen-by-a-person").fills
            tabs = opened.window.findChild(QObject, "tabs")
            tabs.setProperty("currentIndex", 1)
            until(application, lambda: fills[0].price in shown_texts(shown()))
            client.set_trading_state(pb.TRADING_STATE_HALTED, "console test")
            until(application, lambda: text(opened, "tradingState") == "halted")
        assert daemon.stop() == 0
        until(application, lambda: text(opened, "connection") == "Not connected")
        assert text(opened, "remedy")
    finally:
        opened.close()
        application.processEvents()
