"""The window: Qt's application, the QML scene and the feed, put together."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from PySide6.QtCore import QUrl, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from oem_ui.console import Console
from oem_ui.feed import Feed
from oem_ui.options import ConsoleOptions

QML = Path(__file__).parent / "qml" / "Main.qml"


@dataclass(slots=True)
class Opened:
    """An open console."""

    console: Console
    feed: Feed
    engine: QQmlApplicationEngine
    window: QQuickWindow

    def close(self) -> None:
        """End the feed, then the scene."""
        self.feed.stop()
        self.window.close()
        self.engine.deleteLater()


def open_window(options: ConsoleOptions, first_wait_s: float = 1.0) -> Opened:
    """Open the window and start connecting; a QGuiApplication must exist.

    Args:
        options: What to connect to.
        first_wait_s: Wait before the second attempt to connect, in seconds.
    """
    console = Console(options.target)
    feed = Feed(options, first_wait_s)
    feed.snapshot.connect(console.take_snapshot)
    feed.happened.connect(console.take_event)
    feed.refused.connect(console.take_refusal)
    engine = QQmlApplicationEngine()
    engine.setInitialProperties({"daemon": console})
    engine.load(QUrl.fromLocalFile(str(QML)))
    roots = engine.rootObjects()
    if not roots or not isinstance(roots[0], QQuickWindow):
        raise RuntimeError("the scene of the console could not be loaded")
    feed.start()
    return Opened(console, feed, engine, roots[0])


def record_start(path: Path, target: str, now_ns: int) -> None:
    """Append one start of the console to a JSON-lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "time_ns": now_ns,
        "event": "ui_started",
        "version": version("oem-ui"),
        "qt": qVersion(),
        "target": target,
        "pid": os.getpid(),
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def run(options: ConsoleOptions) -> int:
    """Show the console until it is closed."""
    os.environ.setdefault("QT_QUICK_CONTROLS_STYLE", "Basic")
    application = QGuiApplication(sys.argv[:1])
    application.setApplicationName("Core OEM console")
    try:
        record_start(options.startup_log, options.target, time.time_ns())
    except OSError as error:
        print(f"oem-console: the start is not recorded: {error}", file=sys.stderr)  # noqa: T201
    opened = open_window(options)
    code = application.exec()
    opened.close()
    return code
