"""The daemon as a child process of the demonstration."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from oem_cli.remote import RemoteError, daemon_facts
from oem_daemon.site import Site
from oem_security.errors import Category

START_PATIENCE_S = 60.0


class DaemonProcess:
    """A daemon of the site, started as `oem daemon run`, its messages in a log file.

    Args:
        site: The site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.log = site.logs / "runtime" / "daemon.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "oem_cli", "daemon", "run", "--site", str(site.root)]
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )

    def wait_ready(self) -> dict[str, str]:
        """Return what the daemon says of itself once it listens.

        Raises:
            RemoteError: It ended, or did not get ready in time; its last message is named.
        """
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if (self._site.runtime / "daemon.json").exists():
                return daemon_facts(self._site)
            time.sleep(0.05)
        raise RemoteError(
            f"the daemon did not start: {_last_line(self.log)}",
            where=str(self.log),
            remedy="read its log",
            category=Category.UNAVAILABLE,
        )

    def wait_until(self, done: Callable[[], bool], patience_s: float) -> bool:
        """Wait until `done`, the end of the process, or the end of patience; tells whether done."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and self._process.poll() is None:
            if done():
                return True
            time.sleep(0.1)
        return False

    def stop(self) -> int:
        """Ask the daemon to stop and return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
