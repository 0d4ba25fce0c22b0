"""Entry point of the `oem` command; everything heavy is imported only when a noun needs it."""

from __future__ import annotations

import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words == ["--version"]:
        from oem_cli.version import VERSION

        sys.stdout.write(f"oem {VERSION}\n")
        return 0
    from oem_cli.run import run

    try:
        return run(words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
