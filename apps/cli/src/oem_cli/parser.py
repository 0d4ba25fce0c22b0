"""The argument parser: nouns, verbs, and the options every verb has."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns import NOUNS
from oem_cli.output import Output

Run = Callable[[argparse.Namespace, Output], ExitCode]
DESCRIPTION = "Core OEM: licences, risk, execution and costs that can be proven to an auditor."


class NounParser(argparse.ArgumentParser):
    """The parser of one noun.

    Attributes:
        only_verb: Make this verb alone, because it stands on the command line; empty makes all.
        verbs: The verbs it was given, made or not.
    """

    def __init__(self, *args: Any, only_verb: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.only_verb = only_verb
        self.verbs: list[str] = []


class _Ignored:
    """Stands for the parser of a verb nobody asked for: takes every option and makes none."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ignore(*_: object, **__: object) -> _Ignored:
            return self

        return ignore


class Verbs:
    """Adds verbs to a noun's parser, each with `--site` and `--json`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(
            dest="verb",
            metavar="VERB",
            required=True,
            parser_class=argparse.ArgumentParser,
            prog=parser.prog,  # or argparse lays out a usage line to find it
        )
        self._noun = parser

    def add(self, name: str, run: Run, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's word
        """Add the verb `name`, run by `run`, and return its parser for its own options."""
        if isinstance(self._noun, NounParser):
            self._noun.verbs.append(name)
            if self._noun.only_verb not in ("", name):
                return cast("argparse.ArgumentParser", _Ignored())
        return with_common_options(self._verbs.add_parser(name, help=help, description=help), run)


def with_common_options(parser: argparse.ArgumentParser, run: Run) -> argparse.ArgumentParser:
    """Add `--site` and `--json` to a parser, bind the function that runs it, and its own usage."""
    parser.add_argument(
        "--site",
        type=Path,
        metavar="DIR",
        default=None,
        help="the site directory (default: $OEM_SITE, else the current directory)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run, usage_of=parser)
    return parser


class NounModule(Protocol):
    """What a module under `oem_cli.nouns` offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the noun's verbs and options to its parser."""
        ...


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command.

    Args:
        only: Make and fill this noun alone, such as `license`, or this verb of it alone, such as
            `license verify`; empty text lists all nouns and fills none; None fills all, as the
            man pages and completions need.
    """
    parser = argparse.ArgumentParser(prog="oem", description=DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    nouns = parser.add_subparsers(
        dest="noun", metavar="NOUN", required=True, parser_class=NounParser, prog=parser.prog
    )
    wanted, _, verb = (only or "").partition(" ")
    for noun, help_line in NOUNS.items():
        if wanted and noun != wanted:
            continue
        sub = nouns.add_parser(noun, help=help_line, description=help_line, only_verb=verb)
        if only is None or noun == wanted:
            module: NounModule = importlib.import_module(f"oem_cli.nouns.{noun}")
            module.configure(sub)
            if verb and sub.verbs and verb not in sub.verbs:
                return build_parser(wanted)  # a verb that is not there: the message names all
    return parser
