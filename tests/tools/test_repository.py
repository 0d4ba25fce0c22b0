"""What holds for every tracked file, every public name and every example in a docstring."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*s/*/src/*/__init__.py"))
LIBRARIES = sorted(path.parent.name for path in ROOT.glob("libs/*/src/*/__init__.py"))
# Written in halves, so that this file does not find itself.
INDEX_HOSTS = ["py" + "pi.org", "python" + "hosted.org", "py" + "pi.python", "simple/" + "index"]
MACHINE_PATHS = [
    r"/ro" + r"ot/",
    r"/ho" + r"me/\w",
    r"/Us" + r"ers/\w",
    r"/wo" + r"rk/",
    r"/o" + r"pt/\w",
    r"C:\\Us" + r"ers",
]
FORBIDDEN = re.compile("|".join([*map(re.escape, INDEX_HOSTS), *MACHINE_PATHS]))


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


def modules(package: str) -> list[str]:
    home = importlib.import_module(package)
    found = pkgutil.walk_packages(home.__path__, f"{package}.")
    return [
        package,
        *(m.name for m in found if "_stubs" not in m.name and "__main__" not in m.name),
    ]


def leaks(text: str) -> list[str]:
    """Return every index host and path of a machine the text names."""
    return [match.group() for match in FORBIDDEN.finditer(text)]


def test_no_tracked_file_names_an_index_or_a_machine() -> None:
    found = {
        str(path.relative_to(ROOT)): hits
        for path in tracked_files()
        if path.is_file() and (hits := leaks(path.read_text("utf-8", errors="ignore")))
    }
    assert found == {}


@pytest.mark.parametrize("line", [INDEX_HOSTS[1], "/ho" + "me/anna/x", "/ro" + "ot/x"])
def test_a_host_or_a_machine_path_is_seen(line: str) -> None:
    assert leaks(f"from {line} came")


def test_no_tracked_file_is_large() -> None:
    large = {p.name: p.stat().st_size for p in tracked_files() if p.is_file()}
    assert {name: size for name, size in large.items() if size > 1_500_000} == {}


@pytest.mark.parametrize("package", LIBRARIES)
def test_every_public_name_can_be_imported_and_has_a_docstring(package: str) -> None:
    module = importlib.import_module(package)
    names = list(module.__all__)
    assert names, f"{package} exports nothing"
    assert len(names) == len(set(names))
    for name in names:
        value = getattr(module, name)
        documented = callable(value) or isinstance(value, ModuleType)
        if documented and not name.startswith("pb"):
            assert (getattr(value, "__doc__", None) or "").strip(), f"{package}.{name}"
    assert set(names) <= set(dir(module))


@pytest.mark.parametrize("package", LIBRARIES)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = importlib.import_module(package).no_such_name


EXAMPLES = """
import doctest, importlib, sys
for name in sys.argv[1:]:
    if doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed:
        sys.exit(f"examples of {name} do not hold")
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_docstring_examples_hold(package: str, tmp_path: Path) -> None:
    # in an interpreter of its own: doctest looks through every loaded module for each object
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLES, *modules(package)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    silent = [
        name
        for name in modules(package)
        if not (importlib.import_module(name).__doc__ or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize(
    "manifest", sorted(ROOT.glob("*s/*/pyproject.toml")), ids=lambda p: p.parent.name
)
def test_every_member_is_complete(manifest: Path) -> None:
    folder = manifest.parent
    project = tomllib.loads(manifest.read_text("utf-8"))["project"]
    package = project["name"].replace("-", "_")
    assert project["version"] in (folder / "CHANGELOG.md").read_text("utf-8")
    assert (folder / "README.md").read_text("utf-8").startswith(f"# {project['name']}")
    assert (folder / "src" / package / "py.typed").is_file()
    for requirement in project["dependencies"]:
        if requirement.startswith("oem-"):
            assert ">=" in requirement, requirement
            assert "<" in requirement, requirement
