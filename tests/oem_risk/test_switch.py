"""The kill switch in its journal: it survives the process, and only a person loosens it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_risk import (
    JournalledSwitch,
    MemorySwitch,
    OperatorRequired,
    RiskEngine,
    SwitchPosition,
    SwitchProblem,
    TradingState,
    replay_switch,
    shipped_profile,
)
from oem_security import Journal, JournalError, JournalStorageError, Keyring


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def test_the_switch_stands_where_it_stood_after_a_restart(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "risk_switch.jsonl"
    with JournalledSwitch.open(path, keyring) as switch:
        engine = RiskEngine(shipped_profile("balanced"), switch=switch)
        assert engine.state is TradingState.ACTIVE
        assert engine.trip(TradingState.HALTED, "feed is wrong")
        assert not engine.trip(TradingState.REDUCING, "looser")
        told = engine.position
    with JournalledSwitch.open(path, keyring) as switch:
        engine = RiskEngine(shipped_profile("balanced"), switch=switch)
        assert engine.position == told
        assert told.reason == "feed is wrong"
        with pytest.raises(OperatorRequired):
            engine.reset(" ", "no one")
        with pytest.raises(OperatorRequired):
            engine.reset("engine", "a machine")
        engine.reset("anna", "feed is right again")
    assert replay_switch(path, keyring).by == "anna"
    assert replay_switch(path, keyring).state is TradingState.ACTIVE


@pytest.mark.parametrize("head_too", [False, True])
def test_a_trip_cut_from_the_log_does_not_release_the_switch(
    tmp_path: Path, keyring: Keyring, *, head_too: bool
) -> None:
    path = tmp_path / "risk_switch.jsonl"
    with JournalledSwitch.open(path, keyring) as switch:
        switch.trip(TradingState.HALTED, "feed is wrong")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    if head_too:
        path.with_name(path.name + ".head").unlink()
    with pytest.raises(JournalError):
        JournalledSwitch.open(path, keyring)


def test_a_killed_process_leaves_the_switch_tripped(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "risk_switch.jsonl"
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from oem_risk import JournalledSwitch, TradingState\n"
        "from oem_security import Keyring\n"
        "switch = JournalledSwitch.open(Path(sys.argv[1]), Keyring.open(Path(sys.argv[2])))\n"
        "switch.trip(TradingState.REDUCING, 'before the crash')\n"
        "os._exit(9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "keys")], check=False
    )
    assert done.returncode == 9
    with JournalledSwitch.open(path, keyring) as switch:
        assert switch.position.state is TradingState.REDUCING
        assert switch.position.reason == "before the crash"


def test_a_forged_reset_does_not_loosen_the_switch(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "risk_switch.jsonl"
    with JournalledSwitch.open(path, keyring) as switch:
        switch.trip(TradingState.HALTED, "stop")
    lines = path.read_text().splitlines()
    forged = [line.replace('"halted"', '"active"') for line in lines]
    assert forged != lines
    path.write_text("\n".join(forged) + "\n")
    with pytest.raises(JournalError):
        JournalledSwitch.open(path, keyring)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("risk_switch.trip", {"state": "asleep", "reason": "", "by": "engine", "at_ns": 1}),
        ("risk_switch.trip", {"state": "active", "reason": "", "by": "engine", "at_ns": 1}),
        ("risk_switch.reset", {"state": "halted", "reason": "", "by": "anna", "at_ns": 1}),
        ("risk_switch.trip", {"state": "halted"}),
    ],
)
def test_a_journal_that_says_what_cannot_be_is_refused(
    tmp_path: Path, keyring: Keyring, kind: str, body: dict[str, object]
) -> None:
    path = tmp_path / "other.jsonl"
    with Journal.open(path, keyring, subject="risk_switch") as journal:
        journal.append(kind, body)
    with pytest.raises(SwitchProblem) as refused:
        JournalledSwitch.open(path, keyring)
    assert refused.value.remedy
    # and the journal was let go of
    with Journal.open(path, keyring, subject="risk_switch"):
        pass


def test_a_disk_that_refuses_can_tighten_and_never_loosen(tmp_path: Path, keyring: Keyring) -> None:
    switch = JournalledSwitch.open(tmp_path / "risk_switch.jsonl", keyring)
    switch.trip(TradingState.REDUCING, "first")
    switch.close()  # a closed journal refuses as a poisoned one does
    with pytest.raises(JournalStorageError):
        switch.reset("anna", "not written")
    assert switch.position.state is TradingState.REDUCING
    with pytest.raises(JournalStorageError):
        switch.trip(TradingState.HALTED, "holds all the same")
    assert switch.position.state is TradingState.HALTED


@given(
    moves=st.lists(
        st.one_of(st.sampled_from(TradingState), st.just("anna")), min_size=1, max_size=12
    )
)
def test_prop_the_journal_tells_what_the_switch_in_memory_tells(
    tmp_path_factory: pytest.TempPathFactory, moves: list[TradingState | str]
) -> None:
    folder = tmp_path_factory.mktemp("switch")
    keyring, path = Keyring.create(folder / "keys"), folder / "risk_switch.jsonl"
    memory = MemorySwitch()
    with JournalledSwitch.open(path, keyring) as journalled:
        for move in moves:
            for switch in (memory, journalled):
                if isinstance(move, TradingState):
                    switch.trip(move, "why")
                else:
                    switch.reset(move, "why")
        assert journalled.position.state is memory.position.state
    assert replay_switch(path, keyring) == journalled.position
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds.count("risk_switch.reset") == sum(move == "anna" for move in moves)


def test_a_switch_that_was_never_moved_is_active() -> None:
    assert MemorySwitch().position == SwitchPosition()
