"""The quick dataclass is what `dataclasses` makes of the same class, to everybody who looks."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest

from oem_security import LicenseTerms
from oem_security.values import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Quick:
    """A value."""

    name: str
    count: int = 3
    many: dict[str, int] = field(default_factory=dict, compare=False)
    secret: bytes = field(default=b"", repr=False)
    kept: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def twice(self) -> int:
        return self.count * 2


@dataclasses.dataclass(frozen=True, slots=True)
class Real:
    """A value."""

    name: str
    count: int = 3
    many: dict[str, int] = dataclasses.field(default_factory=dict, compare=False)
    secret: bytes = dataclasses.field(default=b"", repr=False)
    kept: list[int] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def twice(self) -> int:
        return self.count * 2


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 4), {"secret": b"s"}),
    ((), {"name": "a", "many": {"x": 1}}),
    ((), {}),
    (("a",), {"kept": [1]}),
    (("a", 1, {}, b"", 5), {}),
    (("a",), {"nothing": 1}),
]


@pytest.mark.parametrize(("words", "named"), CALLS)
def test_it_is_made_shown_and_compared_as_the_real_one(
    words: tuple[Any, ...], named: dict[str, Any]
) -> None:
    try:
        real = Real(*words, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Quick(*words, **named)
        return
    quick = Quick(*words, **named)
    assert repr(quick) == repr(real).replace("Real", "Quick")
    assert dataclasses.asdict(quick) == dataclasses.asdict(real)
    assert quick == Quick(*words, **named)
    assert hash(quick) == hash(Quick(*words, **named))
    assert quick != real
    assert quick != Quick("other")
    assert (quick.twice, quick.kept) == (real.twice, [])
    assert quick.kept is not Quick(*words, **named).kept


def test_nothing_of_it_can_be_changed() -> None:
    quick = Quick("a")
    for change in (
        lambda: setattr(quick, "name", "b"),
        lambda: setattr(quick, "more", 1),
        lambda: delattr(quick, "name"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert not hasattr(quick, "__dict__")


def test_it_is_replaced_copied_pickled_matched_and_inherited_from() -> None:
    quick = Quick("a", 5)
    for other in (replace, dataclasses.replace):
        assert other(quick, count=6) == Quick("a", 6)
        with pytest.raises(ValueError, match="init=False"):
            other(quick, kept=[1])
        with pytest.raises(TypeError):
            other(quick, nothing=1)
    assert copy.deepcopy(quick) == pickle.loads(pickle.dumps(quick)) == quick
    assert dataclasses.is_dataclass(quick)
    names = [f.name for f in dataclasses.fields(Quick)]
    assert names == [f.name for f in dataclasses.fields(Real)]
    match quick:
        case Quick(name, 5):
            assert name == "a"
        case _:
            pytest.fail("did not match")

    @dataclasses.dataclass(frozen=True)
    class More(Quick):
        last: int = 9

    assert More("a", last=1).last == 1
    with pytest.raises(TypeError):
        dataclass(frozen=True, slots=True)(type("Less", (Quick,), {"__annotations__": {}}))
    with pytest.raises(TypeError):
        dataclass(frozen=False, slots=True)


def test_public_values_are_dataclasses_to_an_integrator() -> None:
    terms = LicenseTerms("paper", ("paper",), days=30)
    assert dataclasses.replace(terms, days=31).days == 31
    assert dataclasses.asdict(terms)["profile"] == "paper"


def test_verifying_a_licence_does_not_import_the_machinery() -> None:
    code = (
        "import sys, oem_security.license.verify\n"
        "sys.exit(not not {'dataclasses', 'inspect', 'datetime'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-S", "-c", code], env=_path(), check=False).returncode == 0
    )


def _path() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}
