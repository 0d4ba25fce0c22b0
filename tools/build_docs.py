"""Build the HTML pages, the man pages and the shell completions under `build/`.

    python tools/build_docs.py [html] [man] [completions]      all three when none is named

HTML by Sphinx, where a warning is an error; one man page a noun by argparse-manpage; completions
for bash, zsh and tcsh by shtab.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import reference
import shtab
from argparse_manpage.manpage import Manpage

from oem_cli.parser import build_parser
from oem_cli.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SHELLS = {"bash": "oem.bash", "zsh": "_oem", "tcsh": "oem.tcsh"}


def man_pages(target: Path) -> list[Path]:
    """Write `oem.1` and one `oem-NOUN.1` a noun; return the files."""
    _fresh(target)
    root = build_parser()
    written = [_man_page(root, target / "oem.1")]
    for noun, parser in reference.verbs(root).items():
        written.append(_man_page(parser, target / f"oem-{noun}.1"))
    return written


def _man_page(parser: argparse.ArgumentParser, path: Path) -> Path:
    parser.prog = path.stem.replace("-", " ")
    page = Manpage(parser, {"project_name": "Core OEM", "version": VERSION})
    page.manual = "Core OEM"
    page.date = ""  # the same parser gives the same bytes
    path.write_text(str(page) + "\n", "utf-8")
    return path


def completions(target: Path) -> list[Path]:
    """Write the completion script of every shell; return the files."""
    _fresh(target)
    written = []
    for shell, name in SHELLS.items():
        path = target / name
        path.write_text(shtab.complete(build_parser(), shell=shell) + "\n", "utf-8")
        written.append(path)
    return written


def html(target: Path) -> int:
    """Build the pages with Sphinx; return its exit code."""
    from sphinx.cmd.build import build_main

    reference.main([])
    _fresh(target)
    pages = [str(ROOT / "docs"), str(target)]
    trees = str(BUILD / "doctrees")
    return build_main(["-W", "--keep-going", "-q", "-b", "html", "-d", trees, *pages])


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def main(argv: list[str]) -> int:
    wanted = argv or ["html", "man", "completions"]
    code = html(BUILD / "html") if "html" in wanted else 0
    if "man" in wanted:
        print(f"{len(man_pages(BUILD / 'man'))} man pages in build/man")
    if "completions" in wanted:
        print(f"{len(completions(BUILD / 'completions'))} shell completions in build/completions")
    if "html" in wanted and code == 0:
        print("pages in build/html/index.html")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
