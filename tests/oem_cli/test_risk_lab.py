"""`oem risk lab` and `reproduce`: exit codes that gate, and a report that stands on its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli_process import oem
from oem_cli.run import run
from oem_security import Keyring, seal_file, verify_journal
from site_support import MadeSite, edit_config, make_site

SMALL = ["--profile", "balanced", "--paths", "100", "--stress-paths", "100", "--days", "2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeSite:
    return make_site(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def report(made: MadeSite) -> Path:
    assert run(["risk", "lab", "--site", str(made.root), *SMALL, "--decision-log"]) == 0
    return made.site.paper_labs / "paper_labs.json"


def test_the_decision_log_names_the_report_by_its_hashes(made: MadeSite, report: Path) -> None:
    log = made.site.decision_log("paper")
    assert verify_journal(log, Keyring.open(made.site.keys)).records >= 1
    entry = next(
        body
        for line in log.read_text().splitlines()
        if (record := json.loads(line))["kind"] == "paper_labs.report" and (body := record["body"])
    )
    assert entry["profiles"] == {"balanced": "PASS"}
    assert set(entry["sha384"]) == {
        f"reports/paper_labs/{name}" for name in ("paper_labs.json", "paper_labs.pdf")
    }


def test_a_report_is_made_again_from_itself_though_the_configuration_changed(
    made: MadeSite, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_config(made.site, "seed: 7", "seed: 8")
    try:
        assert run(["risk", "reproduce", str(report), "--site", str(made.root), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["same"] is True
    finally:
        edit_config(made.site, "seed: 8", "seed: 7")


@pytest.mark.filterwarnings("ignore")  # of distributed's own, while it closes
def test_a_cluster_makes_the_same_bytes(
    made: MadeSite, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed import LocalCluster

    again = ["risk", "reproduce", str(report), "--site", str(made.root), "--json"]
    with LocalCluster(n_workers=2, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        assert run([*again, "--dask", cluster.scheduler_address]) == 0
        assert json.loads(capsys.readouterr().out)["same"] is True


def test_a_scheduler_that_is_not_there_is_an_input_error(
    made: MadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = ["risk", "lab", "--site", str(made.root), *SMALL]
    for nowhere in ("carrier-pigeon://x", "127.0.0.1"):
        assert run([*lab, "--dask", nowhere]) == 3
        assert "scheduler" in capsys.readouterr().err


def test_a_report_that_was_changed_is_not_run(made: MadeSite, report: Path, tmp_path: Path) -> None:
    shutil.copytree(report.parent, tmp_path / "copy")
    forged = tmp_path / "copy" / report.name
    forged.write_text(forged.read_text().replace('"PASS"', '"FAIL"'))
    assert run(["risk", "reproduce", str(forged), "--site", str(made.root)]) == 4


def test_a_forged_report_does_not_come_out_again_in_another_process(
    made: MadeSite, report: Path, tmp_path: Path
) -> None:
    # sealed by the site, and yet not what comes out: one number was made up
    shutil.copytree(report.parent, tmp_path / "forged")
    forged = tmp_path / "forged" / report.name
    forged.write_bytes(report.read_bytes().replace(b'"events": ', b'"events": 1', 1))
    seal_file(forged, Keyring.open(made.site.keys), media_type="application/json")
    done = oem("risk", "reproduce", forged, "--site", made.root, "--json")
    assert done.returncode == 1, done.stderr
    differences = json.loads(done.stdout)["differences"]
    assert "events" in differences[0]
    assert sum("paper_labs.json" in str(one) or "events" in str(one) for one in differences) == 1


def test_doubt_and_defeat_have_exit_codes_of_their_own(
    made: MadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    # last of the module: it writes over the report
    lab = ["risk", "lab", "--site", str(made.root), *SMALL]
    assert run([*lab, "--confidence", "0.9999999"]) == 6
    assert "further paths would" in capsys.readouterr().out
    assert run([*lab, "--until-decided", "--most-paths", "4096", "--model", "gbm", "--json"]) == 0
    gate = json.loads(capsys.readouterr().out)["gates"]["balanced"]
    assert "confidence sequence" in gate["method"]


@pytest.mark.parametrize(
    "wrong",
    [["--paths", "5"], ["--days", "0"], ["--profile", "reckless"], ["--workers", "0"],
     ["--confidence", "1"], ["--seed", "-1"], ["--until-decided", "--most-paths", "50"]],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_wrong_wishes_are_input_errors_with_a_remedy(
    made: MadeSite, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["risk", "lab", "--site", str(made.root), *SMALL, *wrong]) == 3
    said = capsys.readouterr().err
    assert said.startswith("oem: error:")
    assert said.count("\n") == 1
