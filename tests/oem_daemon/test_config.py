"""A wrong configuration names every wrong field with its line and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from oem_daemon.config.reader import config_hash, read_config
from oem_daemon.config.template import first_config
from oem_daemon.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "core.yaml"
    path.write_text(first_config(data=None, bars=100, seed=1))
    return path


def problems(path: Path) -> dict[str, tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return {p.path: (p.line, p.problem) for p in caught.value.problems}


def test_the_first_configuration_is_valid_with_and_without_data(config: Path) -> None:
    assert read_config(config).runtime.risk_profile == "balanced"
    config.write_text(first_config(data=Path("/data dir"), bars=100, seed=1))
    assert read_config(config).market_data.source == "parquet"


def test_every_wrong_field_is_named_with_its_line(config: Path) -> None:
    text = config.read_text()
    text = text.replace("risk_profile: balanced", "risk_profile: reckless")
    text = text.replace("initial_cash: 100000", "initial_cash: -5")
    text = text.replace("fast: 12, slow: 48", "fast: 50, slow: 48")
    config.write_text(text + "colour: blue\n")
    found = problems(config)
    lines = config.read_text().splitlines()
    assert (
        "'conservative', 'balanced', 'aggressive' or 'manual'" in found["runtime.risk_profile"][1]
    )
    assert "greater than 0" in found["runtime.initial_cash"][1]
    assert "fast must be smaller than slow" in found["strategies.0.settings"][1]
    assert found["colour"][1] == "unknown field"
    for path, (line, _) in found.items():
        assert (
            path.rsplit(".", 1)[-1].strip("0123456789") in lines[line - 1]
            or "name" in lines[line - 1]
        )


def test_a_missing_section_is_named(config: Path) -> None:
    text = config.read_text()
    config.write_text(text[: text.index("market_data:")])
    found = problems(config)
    assert found["market_data"][1] == "missing"
    assert found["execution"][1] == "missing"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [1, 2", "not YAML"),
        ("- 1\n- 2\n", "no mapping"),
        ("a: 1\na: 2\n", "not YAML"),
        ("[" * 5_000, "nested too deep"),
        ("- " * 3_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "core.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=what):
        read_config(path)


def test_missing_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "core.yaml"
    with pytest.raises(ConfigError, match="oem config write"):
        read_config(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError, match="bytes"):
        read_config(path)


def test_the_hash_is_of_the_bytes(config: Path) -> None:
    before = config_hash(config)
    config.write_text(config.read_text() + "\n")
    assert config_hash(config) != before


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("rbac: {trader: [trade:wrote]}\n", "'trade:write' or 'trade:control'"),
        ("decision_engine: {profiles: {balancd: {caution: 1}}}\n", "no risk profile is named"),
    ],
)
def test_a_mistyped_rule_is_an_error_and_never_a_rule_that_does_not_hold(
    config: Path, added: str, message: str
) -> None:
    text = config.read_text()
    if added.startswith("decision_engine"):
        start = text.index("decision_engine:")
        text = text[:start] + text[text.index("\n\n", start) :].replace("rank_by: amount", "")
        text = text.replace("entry_sizes: [1.0, 0.5]", "entry_sizes: [1.0]")
    config.write_text(text + added)
    with pytest.raises(ConfigError, match=message):
        read_config(config)
