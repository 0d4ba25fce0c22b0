"""Looking at the console as a person does, without a screen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QUICK_CONTROLS_STYLE", "Basic")

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from oem_ui.window import Opened


def until(application: QGuiApplication, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, "the window never showed it"
        application.processEvents()
        time.sleep(0.01)


def text(opened: Opened, name: str) -> str:
    found = opened.window.findChild(QObject, name)
    assert found is not None, name
    return str(found.property("text"))


def shown_texts(item: QObject) -> list[str]:
    own = item.property("text")
    texts = [str(own)] if own and item.property("visible") else []
    children = item.childItems() if hasattr(item, "childItems") else []
    return texts + [t for child in children for t in shown_texts(child)]
