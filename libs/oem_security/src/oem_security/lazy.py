"""Public names that are imported when first used, so that `import oem_…` stays cheap."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy_exports(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package that exports names lazily (PEP 562).

    Args:
        package: The package's `__name__`.
        exports: Public name to the relative module that defines it, such as
            `{"Envelope": ".envelope"}`.

    Returns:
        The two functions to bind at module level.
    """

    def getattr_(name: str) -> object:
        try:
            module = exports[name]
        except KeyError:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
        value = getattr(importlib.import_module(module, package), name)
        setattr(sys.modules[package], name, value)
        return value

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *exports})

    return getattr_, dir_
