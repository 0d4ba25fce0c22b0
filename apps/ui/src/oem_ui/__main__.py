"""`oem-console`: open the window."""

from __future__ import annotations

import sys

from oem_ui.options import read_options


def main(argv: list[str] | None = None) -> int:
    """Open the console and return the process's exit code."""
    options = read_options(sys.argv[1:] if argv is None else argv)
    from oem_ui.window import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())
