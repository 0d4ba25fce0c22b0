"""Build every member and install each wheel alone, the way an integrator would.

Every wheel goes into a fresh environment from `wheelhouse/` and the wheels just built, with no
index: the bounds in its metadata must be satisfiable by exactly those, which a workspace does not
check. Then the package is imported, and every public name is fetched.

    python tools/wheels.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools" / "bin" / "uv"
IMPORT = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
for name in getattr(module, "__all__", ()):
    getattr(module, name)
from importlib.resources import files
assert files(module).joinpath("py.typed").is_file(), "py.typed is missing from the wheel"
"""


def members(root: Path) -> list[Path]:
    """Return the folders of the workspace members."""
    return sorted(
        p.parent for p in [*root.glob("libs/*/pyproject.toml"), *root.glob("apps/*/pyproject.toml")]
    )


def build(member: Path, target: Path) -> Path:
    """Build the member's source archive and wheel; return the wheel."""
    before = set(target.glob("*.whl"))
    _run([UV, "build", "--quiet", "--offline", "--no-index", "--out-dir", target, member])
    (wheel,) = set(target.glob("*.whl")) - before
    return wheel


def install_alone(wheel: Path, built: Path, scratch: Path) -> None:
    """Install one wheel into a fresh environment and import it with all its public names."""
    module = wheel.name.split("-")[0]
    environment = scratch / module
    _run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, environment])
    python = environment / "bin" / "python"
    _run(
        [
            UV,
            "pip",
            "install",
            "--quiet",
            "--offline",
            "--no-index",
            "--python",
            python,
            "--find-links",
            ROOT / "wheelhouse",
            "--find-links",
            built,
            wheel,
        ]
    )
    _run([python, "-W", "error", "-c", IMPORT, module])
    shutil.rmtree(environment)


def _run(command: list[str | Path]) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:6]))} …\n{done.stderr.strip()}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="oem-wheels-") as folder:
        scratch = Path(folder)
        built = scratch / "wheels"
        built.mkdir()
        wheels = [build(member, built) for member in members(ROOT)]
        for wheel in wheels:
            install_alone(wheel, built, scratch)
            print(f"alone and importable: {wheel.name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
