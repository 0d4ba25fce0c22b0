"""Read `config/core.yaml`: every wrong field named with its path, its line and what is allowed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from oem_daemon.config.model import CoreConfig
from oem_daemon.errors import ConfigError, FieldProblem

MAX_BYTES = 1 << 20
MAX_DEPTH = 100


def read_config(path: Path) -> CoreConfig:
    """Return the validated configuration.

    Raises:
        ConfigError: The file is missing, is not YAML, or has wrong fields; all of them are named.
    """
    try:
        tree = _parse(path)
        plain = _plain(tree)
    except RecursionError:
        raise _too_deep(path) from None
    try:
        return CoreConfig.model_validate(plain)
    except ValidationError as error:
        problems = tuple(
            sorted((_problem(tree, item) for item in error.errors()), key=lambda p: p.line)
        )
        listed = "; ".join(str(problem) for problem in problems)
        raise ConfigError(
            f"{len(problems)} wrong field{'s' if len(problems) > 1 else ''}: {listed}",
            where=str(path),
            remedy="correct the fields named, then run: oem config validate",
            problems=problems,
        ) from None


def config_hash(path: Path) -> str:
    """Return the SHA-384 of the configuration file's bytes, in hex."""
    return hashlib.sha384(_bytes(path)).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            "no configuration", where=str(path), remedy="write one with: oem config write"
        ) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            f"the configuration has {len(raw)} bytes, more than {MAX_BYTES}",
            where=str(path),
            remedy="keep data out of the configuration",
        )
    return raw


def _parse(path: Path) -> Any:
    raw = _bytes(path)
    # the reader takes time by the square of the depth
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        raise _too_deep(path)
    try:
        tree = YAML(typ="rt").load(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8 at byte {error.start}", where=str(path), remedy="save the file as UTF-8"
        ) from None
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        cause = getattr(error, "problem", None) or "unreadable"
        raise ConfigError(
            f"not YAML: {cause}", where=place, remedy="correct the line, or write a new file"
        ) from None
    if not isinstance(tree, dict):
        raise ConfigError(
            "the file holds no mapping",
            where=str(path),
            remedy="start from the file that `oem config write` makes",
        )
    return tree


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for byte in raw:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth = max(depth - 1, 0)
    return deepest


def _too_deep(path: Path) -> ConfigError:
    return ConfigError(
        "nested too deep",
        where=str(path),
        remedy="start from the file that `oem config write` makes",
    )


def _plain(node: Any) -> Any:
    """Strip the YAML reader's own types, so that pydantic sees plain values."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _problem(tree: Any, item: Any) -> FieldProblem:
    node: Any = tree
    line, shown = 0, []
    for part in (part for part in item["loc"] if part != "[key]"):
        if isinstance(part, int):
            if not isinstance(node, list) or part >= len(node):
                continue
            line = _line(node, "item", part)
        elif isinstance(node, dict) and part in node:
            line = _line(node, "key", part)
        elif isinstance(node, dict) and not _is_tag(node, part):
            shown.append(str(part))
            break
        else:
            continue  # a tag of a union, not a place in the file
        node = node[part]
        shown.append(str(part))
    problem = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        problem = "unknown field"
    elif item["type"] == "missing":
        problem = "missing"
    elif not isinstance(item["input"], (dict, list)):
        problem = f"{problem} (it is {item['input']!r})"
    return FieldProblem(".".join(shown) or "(file)", line, problem)


def _line(node: Any, kind: str, part: object) -> int:
    """Return where the YAML reader found a key or an item, counted from 1."""
    row: int = getattr(node.lc, kind)(part)[0]
    return row + 1


def _is_tag(node: dict[Any, Any], part: object) -> bool:
    return part in (node.get("kind"), node.get("source"))
