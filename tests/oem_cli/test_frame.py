"""The frame of the command line: exit codes, streams, one-line errors, cheap start."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli_process import oem
from oem_cli import run as run_module
from oem_cli.exit_codes import ExitCode
from oem_cli.nouns import NOUNS
from oem_cli.output import Output, table
from oem_cli.parser import Verbs, build_parser
from oem_security.errors import Category, OemError

HEAVY = ("pydantic", "cryptography", "numpy", "pandas", "grpc", "matplotlib", "ccxt", "asyncio")


@pytest.fixture
def one_verb(monkeypatch: pytest.MonkeyPatch):
    """Install a noun with one verb that does what the test says, and run it."""

    def install(action):
        def fake_parser(only: str | None = None) -> argparse.ArgumentParser:
            parser = argparse.ArgumentParser(prog="oem")
            nouns = parser.add_subparsers(dest="noun", required=True)
            verb = Verbs(nouns.add_parser("thing")).add("do", action, "do the thing")
            verb.add_argument("--count", type=int)
            return parser

        monkeypatch.setattr(run_module, "build_parser", fake_parser)
        return lambda *words: run_module.run(["thing", "do", *words])

    return install


@pytest.mark.parametrize(
    ("category", "code"),
    [
        (Category.INPUT, ExitCode.INPUT),
        (Category.TRUST, ExitCode.TRUST),
        (Category.UNAVAILABLE, ExitCode.UNAVAILABLE),
        (Category.STORAGE, ExitCode.STORAGE),
        (Category.STATE, ExitCode.STATE),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(
    one_verb, capsys, category, code
) -> None:
    kind = type("ThisError", (OemError,), {"category": category})

    def fail(args, out):
        raise kind("it broke", where="a.yaml:3", remedy="mend it")

    assert one_verb(fail)() == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "oem: error: it broke (a.yaml:3); mend it\n"


def test_an_error_of_the_api_keeps_its_category(one_verb, capsys) -> None:
    from oem_api import Unreachable

    def fail(args, out):
        raise Unreachable("nobody listens", where="127.0.0.1:1", remedy="start the daemon")

    assert one_verb(fail)() == ExitCode.UNAVAILABLE
    assert capsys.readouterr().err == (
        "oem: error: nobody listens (127.0.0.1:1); start the daemon\n"
    )


def test_every_category_has_an_exit_code() -> None:
    assert set(run_module._EXIT_OF) == set(Category)


def test_a_missing_file_is_one_line_that_names_it(one_verb, capsys, tmp_path) -> None:
    absent = tmp_path / "absent"
    assert one_verb(lambda args, out: absent.read_text())() == ExitCode.STORAGE
    message = capsys.readouterr().err
    assert str(absent) in message
    assert message.count("\n") == 1


def test_a_defect_leaves_its_details_in_a_file_and_no_traceback(
    one_verb, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert one_verb(lambda args, out: 1 / 0)() == ExitCode.INTERNAL
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert message.count("\n") == 1
    (details,) = tmp_path.iterdir()
    assert str(details) in message
    assert "ZeroDivisionError" in details.read_text()


def test_a_defect_on_a_full_disk_still_ends_in_one_line(one_verb, capsys, monkeypatch) -> None:
    def refuse(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    assert one_verb(lambda args, out: 1 / 0)() == ExitCode.INTERNAL
    message = capsys.readouterr().err
    assert "ZeroDivisionError" in message
    assert message.count("\n") == 1


def test_an_interrupt_ends_with_130(one_verb, capsys) -> None:
    def interrupt(args, out):
        raise KeyboardInterrupt

    assert one_verb(interrupt)() == 130
    assert capsys.readouterr().err == "oem: interrupted\n"


def test_an_error_of_several_lines_is_printed_as_one(one_verb, capsys) -> None:
    def fail(args, out):
        raise OemError("first\nsecond", remedy="mend\nit")

    one_verb(fail)()
    assert capsys.readouterr().err.count("\n") == 1


def test_json_is_printed_on_standard_output_alone(one_verb, capsys) -> None:
    def act(args, out):
        out.say("working")
        out.report({"name": "żółw", "count": 2}, "two")
        return ExitCode.OK

    assert one_verb(act)("--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"name": "żółw", "count": 2}
    assert printed.err == "working\n"


def test_text_is_printed_without_the_json_flag(one_verb, capsys) -> None:
    def act(args, out):
        out.report({"count": 2}, ["two", "lines"])
        return ExitCode.INCONCLUSIVE

    assert one_verb(act)() == ExitCode.INCONCLUSIVE
    assert capsys.readouterr().out == "two\nlines\n"


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ([], {}, "."),
        ([], {"OEM_SITE": "from-env"}, "from-env"),
        (["--site", "given"], {"OEM_SITE": "x"}, "given"),
    ],
)
def test_the_site_comes_from_the_flag_then_the_environment_then_here(
    one_verb, monkeypatch, words, environment, expected
) -> None:
    monkeypatch.delenv("OEM_SITE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    seen = []

    def act(args, out):
        seen.append(args.site)
        return ExitCode.OK

    one_verb(act)(*words)
    assert seen == [Path(expected)]


@pytest.mark.parametrize("words", [["--count", "many"], ["--no-such-flag"]])
def test_a_wrong_flag_is_a_usage_error(one_verb, capsys, words) -> None:
    assert one_verb(lambda args, out: ExitCode.OK)(*words) == ExitCode.USAGE
    assert "usage: oem thing do" in capsys.readouterr().err


def test_no_command_is_a_usage_error() -> None:
    done = oem()
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "usage: oem" in done.stderr


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_version_and_help_import_nothing_heavy(words: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom oem_cli.__main__ import main\n"
        f"code = main({list(words)!r})\n"
        f"print(code, [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "0 []\n"
    assert done.stdout


def test_version_is_the_one_of_the_package() -> None:
    from importlib.metadata import version

    assert oem("--version").stdout == f"oem {version('oem-cli')}\n"


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_explains_itself(noun: str) -> None:
    done = oem(noun, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: oem {noun}" in done.stdout
    assert done.stderr == ""


def test_every_noun_has_its_module_and_every_module_its_line() -> None:
    import pkgutil

    import oem_cli.nouns

    modules = {m.name for m in pkgutil.iter_modules(oem_cli.nouns.__path__)}
    # a noun with many verbs keeps some of them in noun_part.py
    assert {name.partition("_")[0] for name in modules} == set(NOUNS)
    assert modules >= set(NOUNS)


def test_every_command_takes_site_and_json() -> None:
    def leaves(parser: argparse.ArgumentParser):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for child in action.choices.values():
                    yield from leaves(child)
                return
        yield parser

    for parser in leaves(build_parser()):
        if parser.prog == "oem":
            continue
        flags = {flag for action in parser._actions for flag in action.option_strings}
        assert {"--site", "--json"} <= flags, parser.prog
        assert parser.get_default("run") is not None, parser.prog
        assert parser.description, parser.prog


def test_a_closed_pipe_ends_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "oem_cli", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_progress_is_silent_where_nobody_looks() -> None:
    messages = io.StringIO()
    Output(messages=messages).progress("simulating", 1, 2)
    assert messages.getvalue() == ""


def test_progress_ends_its_line_when_done() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    messages = Terminal()
    out = Output(messages=messages)
    out.progress("simulating", 1, 2)
    out.progress("simulating", 2, 2)
    assert "1/2" in messages.getvalue()
    assert messages.getvalue().endswith("2/2\n")


def test_a_table_aligns_its_columns() -> None:
    assert table(["part", "bps"], [["fees", 10.5], ["spread", 1]], right=[1]) == [
        "part     bps",
        "──────  ────",
        "fees    10.5",
        "spread     1",
    ]


def test_text_of_others_commands_no_terminal() -> None:
    data, messages = io.StringIO(), io.StringIO()
    out = Output(data=data, messages=messages)
    out.report({}, ["subject \x1b[2Jx\x9b\r", "name\t█ \u202egpj.exe"])
    out.say("for \x07 ż")
    assert data.getvalue() == "subject \\x1b[2Jx\\x9b\\x0d\nname\t█ \\u202egpj.exe\n"
    assert messages.getvalue() == "for \\x07 ż\n"
