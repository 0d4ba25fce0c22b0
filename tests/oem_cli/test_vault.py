"""`oem vault` as an operator uses it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from oem_cli.__main__ import main

PASS = ["--secret-passphrase-env", "VAULT_PASS"]
CHEAP = ["--memory-kib", "19456", "--iterations", "2", "--lanes", "1"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAULT_PASS", "correct horse")
    monkeypatch.setenv("OEM_SITE", str(tmp_path))
    assert main(["vault", "init", *PASS, *CHEAP]) == 0
    return tmp_path


def test_the_life_of_a_vault(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (site / "secrets" / "api_keys.vault").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    assert main(["vault", "put", "binance/key", *PASS]) == 0
    assert main(["vault", "put", "binance/key", *PASS]) == 3  # nothing more stands there
    assert main(["vault", "recover", str(site / "none"), *PASS]) == 3
    (site / "legacy.yaml").write_text("kraken: {key: K, secret: S}\n")
    take = ["vault", "import", *PASS, "--secrets-input", str(site / "legacy.yaml")]
    capsys.readouterr()
    assert main([*take, "--exclude", "*secret", "--preview", "--json"]) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"stored": False, "names": ["kraken/key"]}
    assert main([*take, "--exclude", "*secret"]) == 0
    assert main(["vault", "backup", *PASS, str(site / "copy")]) == 0
    (site / "new").write_text("another passphrase\n")
    (site / "new").chmod(0o600)
    new = ["--new-passphrase-file", str(site / "new")]
    assert main(["vault", "rotate", *PASS, *new]) == 0
    again = ["--secret-passphrase", "another passphrase"]
    capsys.readouterr()
    assert main(["vault", "list", *again, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["names"] == ["binance/key", "kraken/key"]
    assert main(["vault", "recover", *PASS, str(site / "copy")]) == 0
    assert main(["vault", "remove", "kraken/key", *PASS]) == 0
    capsys.readouterr()
    assert main(["vault", "get", "binance/key", *PASS]) == 0
    assert capsys.readouterr().out == "s3cret\n"


def test_trouble_is_one_line_with_its_remedy(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["--secret-passphrase", "wrong horse"]
    (site / "open").write_text("correct horse")
    (site / "open").chmod(0o644)
    for words in (
        ["vault", "list", *wrong],
        ["vault", "get", "absent", *PASS],
        ["vault", "list", "--secret-passphrase-file", str(site / "open")],
        ["vault", "list", "--secret-passphrase-env", "NOT_SET"],
        ["vault", "list", "--vault", str(site / "absent"), *PASS],
        ["vault", "init", "--vault", str(site / "v"), *PASS, "--memory-kib", "8"],
        ["vault", "list"],
    ):
        capsys.readouterr()
        assert main(words) != 0
        error = capsys.readouterr().err
        assert error.startswith("oem: error: ")
        assert "; " in error
        assert "Traceback" not in error
