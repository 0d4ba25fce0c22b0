"""Files and numbers that nobody means: each is one line of error, never a defect."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_shell import Shell

NOISE = bytes(range(128, 255))
DEEP = b"[" * 5_000


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    made = Shell(tmp_path, capsys)
    made("init")
    made("config", "write")
    return made


@pytest.mark.parametrize(
    ("words", "content", "code", "why"),
    [
        (["token", "inspect", "FILE"], NOISE, 3, "no token"),
        (["token", "inspect", "FILE"], b"x" * 100_000, 3, "larger than"),
        (["token", "revoke", "--operator", "a", "--reason", "b", "FILE"], NOISE, 3, "no token"),
        (["daemon", "orders", "--token-file", "FILE"], NOISE, 3, "no token"),
        (["vault", "list", "--secret-passphrase-file", "FILE"], NOISE, 3, "no passphrase"),
        (["exec", "dry-run", "--venues", "x", "--orders", "FILE"], DEEP, 3, "nested deeper"),
        (["exec", "dry-run", "--venues", "x", "--orders", "FILE"], b"[1]", 3, "list of objects"),
        (["data", "import", "--format", "ccxt_json", "--to", "d", "FILE"], DEEP, 3, "not JSON"),
        (["tco", "cost", "--orders", "o", "--max-quote-age", "inf"], b"", 3, "is no number"),
        (["risk", "lab", "--paths", "1" + "0" * 30], b"", 3, "1,000,000,000 paths"),
    ],
)
def test_what_nobody_means_is_one_line(
    shell: Shell, words: list[str], content: bytes, code: int, why: str
) -> None:
    path = shell.root / "file"
    path.write_bytes(content)
    path.chmod(0o600)
    found = shell(*(str(path) if word == "FILE" else word for word in words), code=code)
    (line,) = str(found["error"]).splitlines()
    assert line.startswith("oem: error: ")
    assert why in line
    assert ";" in line
