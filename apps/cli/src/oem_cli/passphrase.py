"""Passphrases: from the command line, a private file, the environment, or a prompt."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from oem_cli.small_file import text_of


def passphrase_options(parser: argparse.ArgumentParser, prefix: str, help_text: str) -> None:
    """Add the three ways to give a passphrase; `prefix` is empty or ends with a dash."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(f"--{prefix}passphrase", metavar="TEXT",
                       help=f"{help_text}; seen by other users of this machine")  # fmt: skip
    group.add_argument(f"--{prefix}passphrase-file", type=Path, metavar="FILE",
                       help=f"file with {help_text}")  # fmt: skip
    group.add_argument(f"--{prefix}passphrase-env", metavar="NAME",
                       help=f"environment variable with {help_text}")  # fmt: skip


def read_passphrase(
    args: argparse.Namespace, name: str, *, needed: bool = True, confirm: bool = False
) -> str:
    """Return the passphrase `name`, asked for at the terminal where no way was given."""
    from oem_security.errors import InputError
    from oem_security.files import require_private

    inline = getattr(args, name)
    if inline is not None:
        return str(inline)
    file: Path | None = getattr(args, f"{name}_file")
    if file is not None:
        if not file.is_file():
            raise InputError("there is no such file", where=str(file), remedy="correct the path")
        require_private(file)
        return text_of(file, "passphrase")
    variable: str | None = getattr(args, f"{name}_env")
    if variable is not None:
        if variable not in os.environ:
            raise InputError(
                "there is no such variable", where=variable, remedy="set it, or correct its name"
            )
        return os.environ[variable]
    if not needed:
        return ""
    if not sys.stdin.isatty():
        raise InputError(
            "no passphrase is given and there is no terminal to ask at",
            where=f"--{name.replace('_', '-')}-file",
            remedy="give it by a file or an environment variable",
        )
    from getpass import getpass

    first = getpass("passphrase: ")
    if confirm and getpass("once more: ") != first:
        raise InputError("the two differ", where="passphrase", remedy="type it again")
    return first
