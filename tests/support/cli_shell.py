"""The command line as an operator sees it: words in, JSON or one line of error out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oem_cli.__main__ import main


class Shell:
    """Runs commands on the site in `root / "site"`."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.site = root / "site"
        self._capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> dict[str, object]:
        """Run a command that ends in `code`; return what it printed, or its error."""
        got = main([*map(str, words), "--site", str(self.site), "--json"])
        printed = self._capsys.readouterr()
        assert got == code, printed.err
        assert "Traceback" not in printed.err
        return json.loads(printed.out) if printed.out else {"error": printed.err}
