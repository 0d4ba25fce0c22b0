"""One exchange of ccxt, without importing the hundred others, which takes seconds.

`ccxt/__init__.py` imports every exchange. While one is imported, an empty package with the same
search path stands in its place; it is taken away again, so that `import ccxt` elsewhere gets the
whole package.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oem_risk.errors import DataProblem


@dataclass(frozen=True, slots=True)
class SingleExchange:
    """An exchange class of ccxt, and the module of the errors it raises."""

    exchange: Any
    errors: Any


def single_exchange(venue: str) -> SingleExchange:
    """Return ccxt's synchronous class of an exchange.

    Args:
        venue: ccxt's id, such as `binance`.

    Raises:
        DataProblem: ccxt is not installed, or knows no such exchange.
    """
    whole = sys.modules.get("ccxt")
    spec = importlib.util.find_spec("ccxt") if whole is None else whole.__spec__
    if spec is None or not spec.submodule_search_locations:
        raise DataProblem("ccxt is not installed", where=venue, remedy="install oem-risk[fetch]")
    root = Path(next(iter(spec.submodule_search_locations)))
    if not venue.isidentifier() or not (root / f"{venue}.py").is_file():
        raise DataProblem(
            f"ccxt knows no exchange {venue!r}",
            where="venue",
            remedy="use one of ccxt's exchange ids, such as binance, kraken or coinbase",
        )
    if whole is None:
        module = _imported_alone(f"ccxt.{venue}", root)
    else:
        module = importlib.import_module(f"ccxt.{venue}")
    errors = importlib.import_module("ccxt.base.errors")
    return SingleExchange(getattr(module, venue), errors)


def _imported_alone(name: str, root: Path) -> types.ModuleType:
    stand_in = types.ModuleType("ccxt")
    stand_in.__path__ = [str(root)]
    sys.modules["ccxt"] = stand_in
    try:
        module = importlib.import_module(name)
        importlib.import_module("ccxt.base.errors")
    except ImportError:
        # a ccxt that wants its whole package gets it: slower, never wrong
        for loaded in [n for n in sys.modules if n == "ccxt" or n.startswith("ccxt.")]:
            del sys.modules[loaded]
        return importlib.import_module(name)
    finally:
        if sys.modules.get("ccxt") is stand_in:
            del sys.modules["ccxt"]
    return module
