"""Stress tests as data: scenarios, replays and factor shocks of a file, or the shipped ones."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from oem_risk.errors import LabProblem
from oem_risk.lab.stress import StressScenario, shipped_scenarios
from oem_risk.stress.factors import FactorShock
from oem_risk.stress.replay import HistoricalReplay
from oem_security.files import read_bounded

_MAX_BYTES = 1024 * 1024
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class StressBook:
    """All stress tests that are run.

    Attributes:
        scenarios: Made-up markets the fill model sees.
        replays: Stretches of history.
        shocks: Moves of factors.
    """

    scenarios: tuple[StressScenario, ...]
    replays: tuple[HistoricalReplay, ...]
    shocks: tuple[FactorShock, ...]


def shipped_replays() -> tuple[HistoricalReplay, ...]:
    """Return the six days that are shipped, oldest first.

    Example:
        >>> [replay.name for replay in shipped_replays()][-1]
        '2025-10-10'
    """
    return _entries(HistoricalReplay, tomllib.loads(_shipped("replays.toml")), "replays.toml")


def shipped_shocks() -> tuple[FactorShock, ...]:
    """Return the factor shocks that are shipped."""
    return _entries(FactorShock, tomllib.loads(_shipped("shocks.toml")), "shocks.toml")


def shipped_stress() -> StressBook:
    """Return all stress tests that are shipped."""
    return StressBook(shipped_scenarios(), shipped_replays(), shipped_shocks())


def read_stress(path: Path) -> StressBook:
    """Return the stress tests of a TOML file.

    The file has the tables `scenario`, `replay` and `shock`, each a table of named entries with
    the fields of `StressScenario`, `HistoricalReplay` and `FactorShock`. What it does not name is
    not run; a kind it does not name at all is the shipped one.

    Raises:
        InputError: There is no such file.
        LabProblem: Not TOML, an unknown table, or an entry is not valid; the field is named.
    """
    data = read_bounded(path, _MAX_BYTES, what="file of stress tests")
    try:
        tables = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabProblem(
            f"not TOML: {error}", where=str(path), remedy="correct the line named"
        ) from None
    unknown = sorted(tables.keys() - {"scenario", "replay", "shock"})
    if unknown:
        raise LabProblem(
            f"unknown tables: {', '.join(unknown)}",
            where=str(path),
            remedy="use [scenario.NAME], [replay.NAME] and [shock.NAME]",
        )
    shipped = shipped_stress()
    where = str(path)
    return StressBook(
        scenarios=_entries(StressScenario, tables["scenario"], where)
        if "scenario" in tables else shipped.scenarios,
        replays=_entries(HistoricalReplay, tables["replay"], where)
        if "replay" in tables else shipped.replays,
        shocks=_entries(FactorShock, tables["shock"], where)
        if "shock" in tables else shipped.shocks,
    )  # fmt: skip


def _shipped(name: str) -> str:
    return files("oem_risk.stress").joinpath(name).read_text("utf-8")


def _entries(kind: type[Model], table: Any, where: str) -> tuple[Model, ...]:
    if not isinstance(table, dict) or not all(isinstance(v, dict) for v in table.values()):
        raise LabProblem(
            "a table does not hold named entries", where=where, remedy="write [shock.NAME]"
        )
    found = []
    for name, values in table.items():
        try:
            found.append(kind.model_validate({"name": name, **values}))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'entry'}: {item['msg']}"
                for item in error.errors()
            )
            raise LabProblem(
                f"{name} is not valid: {wrong}", where=where, remedy="correct the fields named"
            ) from None
    return tuple(found)
