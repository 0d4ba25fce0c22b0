"""Loading one exchange class of ccxt without the hundred others.

`import ccxt.async_support` imports every exchange it knows, which takes seconds. One exchange needs
its own module and the base classes. While those are imported, the two parent packages are replaced
by empty ones with the same search path; afterwards the replacements are removed again, so that a
later `import ccxt` anywhere in the process gets the real package with the same classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from pathlib import Path
from typing import Any

from oem_exec.errors import VenueNotInstalled

_LOCK = threading.Lock()
_PARENTS = ("ccxt", "ccxt.async_support")
_BASES = ("ccxt.base.errors", "ccxt.base.exchange")


class _Parent(types.ModuleType):
    """A package of modules only; the few names ccxt takes from it are found in its base modules."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for base in _BASES:
            module = importlib.import_module(base)
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


def load_exchange_class(name: str) -> Any:
    """Return ccxt's asynchronous class of an exchange.

    Args:
        name: ccxt's id of the exchange, such as `binance`.

    Raises:
        VenueNotInstalled: ccxt is not installed, or has no such exchange.
    """
    spec = importlib.util.find_spec("ccxt")
    if spec is None or not spec.submodule_search_locations:
        raise VenueNotInstalled(
            "ccxt is not installed", where=name, remedy="install oem-exec[ccxt]"
        )
    root = Path(next(iter(spec.submodule_search_locations)))
    module_name = f"ccxt.async_support.{name}"
    if not name.isidentifier() or not (root / "async_support" / f"{name}.py").is_file():
        raise VenueNotInstalled(
            f"ccxt has no exchange {name!r}", where=name, remedy="use one of ccxt's exchange ids"
        )
    with _LOCK:
        if all(parent in sys.modules for parent in _PARENTS):
            module = importlib.import_module(module_name)
        else:
            module = _alone(module_name, root)
    return getattr(module, name)


def load_errors() -> Any:
    """Return ccxt's module of error classes; an exchange must have been loaded before."""
    return sys.modules["ccxt.base.errors"]


def _alone(module_name: str, root: Path) -> types.ModuleType:
    before = {parent: sys.modules.get(parent) for parent in _PARENTS}
    for parent, folder in zip(_PARENTS, (root, root / "async_support"), strict=True):
        stand_in = _Parent(parent)
        stand_in.__path__ = [str(folder)]
        sys.modules[parent] = stand_in
    try:
        return importlib.import_module(module_name)
    except ImportError:
        # a ccxt that needs its whole package is loaded whole: slower, never wrong
        _restore(before)
        for name in [n for n in sys.modules if n.startswith("ccxt.")]:
            del sys.modules[name]
        return importlib.import_module(module_name)
    finally:
        if isinstance(sys.modules.get("ccxt"), _Parent):
            _restore(before)


def _restore(before: dict[str, types.ModuleType | None]) -> None:
    for parent, module in before.items():
        if module is None:
            sys.modules.pop(parent, None)
        else:
            sys.modules[parent] = module
