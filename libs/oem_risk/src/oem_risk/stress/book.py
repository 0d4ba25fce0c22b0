"""Stress tests as data: scenarios, replays and factor shocks of a file, or the shipped ones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from oem_risk.errors import LabProblem
from oem_risk.stress.replay import HistoricalReplay
from oem_risk.stress.scenario import StressScenario, shipped_scenarios
from oem_risk.stress.shock import FactorShock
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

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the tests as a report states them."""
        return {
            name: [test.model_dump(mode="json") for test in getattr(self, name)]
            for name in ("scenarios", "replays", "shocks")
        }


def stress_from(values: Mapping[str, object], *, where: str = "stress_tests") -> StressBook:
    """Return the tests that a report states.

    Raises:
        LabProblem: A kind is missing, or an entry is not valid; it is named.
    """
    kinds = ("scenarios", "replays", "shocks")
    rows = {kind: values.get(kind) for kind in kinds}
    if set(values) != set(kinds) or not all(isinstance(r, list) for r in rows.values()):
        raise LabProblem(
            "the stress tests are not lists of scenarios, replays and shocks",
            where=where,
            remedy="restore the report; its seal tells whether it was changed",
        )
    named = {
        kind: {str(_name(entry)): _without_name(entry) for entry in cast("list[Any]", row)}
        for kind, row in rows.items()
    }
    return StressBook(
        _entries(StressScenario, named["scenarios"], where),
        _entries(HistoricalReplay, named["replays"], where),
        _entries(FactorShock, named["shocks"], where),
    )


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, dict) else entry


def _without_name(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {field: value for field, value in entry.items() if field != "name"}


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
