"""Every example of every README runs and prints what the README says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(
    r"^```python\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
READMES = [ROOT / "README.md", *sorted(ROOT.glob("*s/*/README.md"))]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
CASES = [
    pytest.param(code, printed, id=f"{path.relative_to(ROOT)}-{number}")
    for path in (*READMES, *PAGES)
    for number, (code, printed) in enumerate(EXAMPLE.findall(path.read_text("utf-8")), start=1)
]


@pytest.mark.parametrize(("code", "printed"), CASES)
def test_example_prints_what_the_readme_says(code: str, printed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout == printed


@pytest.mark.parametrize("path", READMES[1:], ids=lambda path: path.parent.name)
def test_every_member_shows_an_example(path: Path) -> None:
    assert EXAMPLE.search(path.read_text("utf-8")), f"{path} shows no example"


def test_every_library_has_its_example_in_the_root_readme() -> None:
    text = READMES[0].read_text("utf-8")
    for library in sorted(path.name for path in (ROOT / "libs").iterdir() if path.is_dir()):
        assert re.search(rf"^from {library} import ", text, re.MULTILINE), library


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target
