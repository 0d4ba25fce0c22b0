"""The reference page is the table in the code."""

from __future__ import annotations

from pathlib import Path

from oem_exec.ccxt_venue.table import table_as_markdown


def test_capability_page_equals_the_code(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "exec-capabilities.md").read_text()
    assert table_as_markdown() in page
