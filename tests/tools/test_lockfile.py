"""The lock names no host, and the check that guards it can fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def lockfile(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("lockfile", repository / "tools" / "lockfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lockfile"] = module
    spec.loader.exec_module(module)
    return module


HASH = "sha256:" + "ab" * 32
RAW = f"""\
source = {{ registry = "https://index.example/simple" }}
    {{ name = "x", version = "1", source = {{ registry = "https://index.example/simple" }} }},
sdist = {{ url = "https://files.example/a/x-1.tar.gz", hash = "{HASH}", upload-time = "2024" }}
    {{ url = "https://files.example/b/x-1%2Bcpu-py3-none-any.whl", hash = "{HASH}" }},
source = {{ editable = "libs/x" }}
"""


def test_rewritten_lock_names_no_address(lockfile: ModuleType) -> None:
    done = lockfile.rewrite(RAW)
    assert lockfile.addresses(done) == []
    assert 'source = { registry = "wheelhouse" }' in done
    assert f'{{ path = "x-1.tar.gz", hash = "{HASH}" }}' in done
    assert 'path = "x-1+cpu-py3-none-any.whl"' in done
    assert 'source = { editable = "libs/x" }' in done


def test_rewriting_twice_changes_nothing(lockfile: ModuleType) -> None:
    once = lockfile.rewrite(RAW)
    assert lockfile.rewrite(once) == once


def test_an_address_that_slips_in_is_named_with_its_line(lockfile: ModuleType) -> None:
    slipped = lockfile.rewrite(RAW) + 'source = { git = "ssh://host.example/x" }\n'
    assert lockfile.addresses(slipped) == [(6, 'source = { git = "ssh://host.example/x" }')]


def test_the_projects_lock_names_no_address(lockfile: ModuleType, repository: Path) -> None:
    text = (repository / "uv.lock").read_text()
    assert lockfile.addresses(text) == []
    assert lockfile.rewrite(text) == text
