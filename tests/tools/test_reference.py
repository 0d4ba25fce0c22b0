"""The committed reference pages are what the code says, and the built ones can be built."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield
    for name in ("reference", "build_docs"):
        sys.modules.pop(name, None)


@pytest.fixture
def reference(tool: None) -> ModuleType:
    return importlib.import_module("reference")


@pytest.fixture
def build_docs(tool: None) -> ModuleType:
    return importlib.import_module("build_docs")


def test_committed_pages_equal_the_generated_ones(reference: ModuleType) -> None:
    stale = [
        path.name for path, text in reference.pages().items() if path.read_text("utf-8") != text
    ]
    assert stale == [], "run: make docs"


def test_every_exit_code_has_its_meaning_on_the_page(reference: ModuleType) -> None:
    page = reference.exit_codes_page()
    for code in reference.ExitCode:
        assert f"| {code.value} | `{code.name}` | " in page


def test_every_option_of_every_command_is_on_the_page(reference: ModuleType) -> None:
    page = reference.commands_page()
    root = reference.build_parser()
    for command in reference.commands(root):
        if command is root:
            continue
        assert f"### {command.prog}\n" in page
        for action in command._actions:
            for option in action.option_strings:
                assert option in ("-h", "--help") or f"`{option}" in page, option


@pytest.mark.filterwarnings("default")
def test_man_pages_name_every_verb(build_docs: ModuleType, tmp_path: Path) -> None:
    written = {path.name: path.read_text("utf-8") for path in build_docs.man_pages(tmp_path / "m")}
    verbs = build_docs.reference.verbs
    for noun, parser in verbs(build_docs.build_parser()).items():
        page = written[f"oem-{noun}.1"]
        assert page.startswith(".TH")
        for verb in verbs(parser):
            assert verb.replace("-", "\\-") in page or verb in page


@pytest.mark.filterwarnings("default")
def test_completions_exist_for_three_shells(build_docs: ModuleType, tmp_path: Path) -> None:
    written = build_docs.completions(tmp_path / "c")
    assert [path.name for path in written] == ["oem.bash", "_oem", "oem.tcsh"]
    for noun in build_docs.reference.verbs(build_docs.build_parser()):
        assert noun in written[0].read_text("utf-8")


@pytest.mark.filterwarnings("default")
def test_the_same_parser_gives_the_same_man_page(build_docs: ModuleType, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in build_docs.man_pages(tmp_path / "a")]
    assert first == [path.read_bytes() for path in build_docs.man_pages(tmp_path / "b")]


def test_the_mapping_says_not_yet_for_a_command_that_is_not_there(reference: ModuleType) -> None:
    page = reference.commands_page()
    have = {command.prog for command in reference.commands(reference.build_parser())}
    rows = [line for line in page.splitlines() if line.endswith(("| there |", "| not yet |"))]
    assert len(rows) >= 28
    for row in rows:
        command = row.split("`")[3].split(" --")[0]
        assert row.endswith("| there |") == (command in have), row
