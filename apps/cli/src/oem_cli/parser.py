"""The argument parser: nouns, verbs, and the options every verb has."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns import NOUNS
from oem_cli.output import Output

Run = Callable[[argparse.Namespace, Output], ExitCode]
DESCRIPTION = "Core OEM: licences, risk, execution and costs that can be proven to an auditor."


class Verbs:
    """Adds verbs to a noun's parser, each with `--site` and `--json`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def add(self, name: str, run: Run, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's word
        """Add the verb `name`, run by `run`, and return its parser for its own options."""
        return with_common_options(self._verbs.add_parser(name, help=help, description=help), run)


def with_common_options(parser: argparse.ArgumentParser, run: Run) -> argparse.ArgumentParser:
    """Add `--site` and `--json` to a parser and bind the function that runs it."""
    parser.add_argument(
        "--site",
        type=Path,
        metavar="DIR",
        default=None,
        help="the site directory (default: $OEM_SITE, else the current directory)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)
    return parser


class NounModule(Protocol):
    """What a module under `oem_cli.nouns` offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the noun's verbs and options to its parser."""
        ...


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command.

    Args:
        only: Import and fill this noun alone; the others are listed but stay empty. None fills
            all, as the man pages and completions need.
    """
    parser = argparse.ArgumentParser(prog="oem", description=DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    nouns = parser.add_subparsers(dest="noun", metavar="NOUN", required=True)
    for noun, help_line in NOUNS.items():
        sub = nouns.add_parser(noun, help=help_line, description=help_line)
        if only is None or noun == only:
            module: NounModule = importlib.import_module(f"oem_cli.nouns.{noun}")
            module.configure(sub)
    return parser
