"""Keep `uv.lock` free of index hosts: renew it, rewrite it, check it.

`uv lock` writes the address of the package index and of every file into the lock. The project's
lock names only what must be true anywhere: names, versions, hashes. Each registry becomes the
folder `wheelhouse`, each file address its bare file name. `uv sync --frozen --offline` then
installs from that folder, on the networked and on the air-gapped machine alike.

    python tools/lockfile.py renew      resolve against the configured index, then rewrite
    python tools/lockfile.py check      exit 1 and name the lines when an address slipped in
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

WHEELHOUSE = "wheelhouse"
_REGISTRY = re.compile(r'source = \{ registry = "[^"]*" \}')
_FILE = re.compile(r'\{ url = "[^"]*/([^"/]+)", (hash = "sha256:[0-9a-f]{64}")[^}]*\}')
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_OFFLINE_SETTINGS = re.compile(r"^(no-index|find-links)\s*=.*\n", re.MULTILINE)


def rewrite(lock: str) -> str:
    """Return the lock text with every index and file address replaced by local names.

    Rewriting twice changes nothing. File names keep their percent-escapes decoded, because
    the file on disk carries the plain name.
    """

    def as_path(match: re.Match[str]) -> str:
        name = match.group(1).replace("%2B", "+").replace("%2b", "+")
        return f'{{ path = "{name}", {match.group(2)} }}'

    return _FILE.sub(as_path, _REGISTRY.sub(f'source = {{ registry = "{WHEELHOUSE}" }}', lock))


def addresses(lock: str) -> list[tuple[int, str]]:
    """Return (line number, line) of every line of the lock that names an address."""
    return [
        (number, line.strip())
        for number, line in enumerate(lock.splitlines(), start=1)
        if _ADDRESS.search(line)
    ]


def renew(root: Path, uv: str) -> None:
    """Resolve the workspace afresh and write the rewritten lock.

    The resolution runs in a copy of the project files without the offline settings, so that
    the index configured on this machine is asked, and nothing of it reaches the project.
    """
    with tempfile.TemporaryDirectory(prefix="oem-lock-") as scratch:
        copy = Path(scratch)
        for project in _project_files(root):
            target = copy / project.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project, target)
        if (root / "uv.lock").is_file():  # the versions it holds stay where they still fit
            shutil.copy(root / "uv.lock", copy)
        top = copy / "pyproject.toml"
        top.write_text(_OFFLINE_SETTINGS.sub("", top.read_text()))
        subprocess.run([uv, "lock"], cwd=copy, check=True)
        (root / "uv.lock").write_text(rewrite((copy / "uv.lock").read_text()))


def _project_files(root: Path) -> Iterable[Path]:
    yield root / "pyproject.toml"
    for pattern in ("libs/*/pyproject.toml", "apps/*/pyproject.toml"):
        yield from sorted(root.glob(pattern))


def main(argv: list[str]) -> int:
    root = Path(__file__).resolve().parent.parent
    match argv:
        case ["renew"]:
            renew(root, shutil.which("uv") or str(root / ".tools" / "bin" / "uv"))
            return 0
        case ["check"]:
            found = addresses((root / "uv.lock").read_text())
            for number, line in found[:5]:
                print(f"uv.lock:{number}: names an address: {line[:100]}", file=sys.stderr)
            if found:
                print(f"{len(found)} lines name an address; run: make lock", file=sys.stderr)
            return 1 if found else 0
        case _:
            print("usage: python tools/lockfile.py renew|check", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
