"""Parse, run, and turn every error into one line and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oem_cli.exit_codes import ExitCode
from oem_cli.nouns import NOUNS
from oem_cli.output import Output
from oem_cli.parser import build_parser
from oem_security.errors import Category, OemError

_EXIT_OF = {
    Category.INPUT: ExitCode.INPUT,
    Category.TRUST: ExitCode.TRUST,
    Category.UNAVAILABLE: ExitCode.UNAVAILABLE,
    Category.STORAGE: ExitCode.STORAGE,
    Category.STATE: ExitCode.STATE,
}


def run(argv: list[str]) -> int:
    """Run one command line; never raises for anything an operator can cause."""
    noun = next((word for word in argv if not word.startswith("-")), "")
    at = argv.index(noun) + 1 if noun in NOUNS else len(argv)
    verb = argv[at] if at < len(argv) and not argv[at].startswith("-") else ""
    parser = build_parser(only=f"{noun} {verb}".strip() if noun in NOUNS else "")
    try:
        args, unknown = parser.parse_known_args(argv)
        if unknown:  # argparse would show the usage of `oem` alone
            args.usage_of.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as stop:
        return int(stop.code or 0)
    if args.site is None:
        args.site = Path(os.environ.get("OEM_SITE") or ".")
    output = Output(as_json=args.json)
    try:
        return int(args.run(args, output))
    except OemError as error:
        output.say(_one_line(f"oem: error: {error}"))
        return _EXIT_OF[error.category]
    except KeyboardInterrupt:
        output.say("oem: interrupted")
        return ExitCode.INTERRUPTED
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        place = f" ({error.filename})" if error.filename else ""
        output.say(
            _one_line(
                f"oem: error: {error.strerror or error}{place}; check the path, its permissions "
                "and the free space"
            )
        )
        return ExitCode.STORAGE
    except Exception as error:  # noqa: BLE001 - the last line of defence of a command line
        category = _category_of(error)
        if category is None:
            return _internal(error, output)
        output.say(_one_line(f"oem: error: {error}"))
        return _EXIT_OF[category]


def _category_of(error: Exception) -> Category | None:
    """Return the category of an error that oem_api, which knows nobody, raised on purpose."""
    word = getattr(error, "category", None)
    return next((category for category in Category if category.value == word), None)


def _internal(error: Exception, output: Output) -> ExitCode:
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="oem-crash-", suffix=".txt", delete=False
        ) as details:
            traceback.print_exception(error, file=details)
            print("command:", " ".join(sys.argv[:3]), file=details)
        remedy = f"send {details.name} to support"
    except OSError as refusal:
        remedy = f"the details could not be written ({refusal.strerror or refusal})"
    what = f"{type(error).__name__}: {error}"
    output.say(_one_line(f"oem: error: defect in the product: {what}; {remedy}"))
    return ExitCode.INTERNAL


def _one_line(message: str) -> str:
    return " ".join(message.split())
