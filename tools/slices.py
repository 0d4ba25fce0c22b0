"""Cut a requirements file with hashes into slices, so that several downloads can run at once.

python tools/slices.py FILE COUNT        writes FILE.0 … FILE.COUNT-1
"""

from __future__ import annotations

import sys
from pathlib import Path


def entries(text: str) -> list[str]:
    """Return the requirements of the text, each with its continuation lines."""
    joined: list[str] = []
    for line in text.splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        if line.startswith(" ") and joined:
            joined[-1] += "\n" + line
        else:
            joined.append(line)
    return joined


def main(argv: list[str]) -> int:
    path, count = Path(argv[0]), int(argv[1])
    found = entries(path.read_text())
    for number in range(count):
        part = path.with_name(f"{path.name}.{number}")
        part.write_text("\n".join(found[number::count]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
