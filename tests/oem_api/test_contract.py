"""The committed stubs, the words of the enums, and the small agreements of both sides."""

from __future__ import annotations

import doctest
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import oem_api
from oem_api import as_json, enum_of, enum_text, pb
from oem_api.server import bearer_metadata, bearer_token, error_trailer, status_code_of


def test_the_committed_stubs_are_what_the_proto_generates(repository: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "generate_stubs", repository / "tools" / "generate_stubs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.differences(tmp_path) == []


def test_importing_the_package_costs_no_grpc() -> None:
    code = "import oem_api, sys; sys.exit(bool({'grpc', 'google.protobuf'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    for name in oem_api.__all__:
        assert getattr(oem_api, name) is not None
    assert set(oem_api.__all__) <= set(dir(oem_api))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = oem_api.nonsense


@pytest.mark.parametrize(
    "kind", [pb.Side, pb.OrderState, pb.OrderType, pb.CostComponent, pb.TradingState, pb.Mode]
)
def test_words_and_numbers_of_an_enum_are_each_others_inverse(kind: type[int]) -> None:
    for number in kind.values():  # type: ignore[attr-defined]
        assert enum_of(kind, enum_text(kind, number)) == number
    for bad in ("nonsense", "BUY", "Active"):
        with pytest.raises(ValueError, match="none of"):
            enum_of(kind, bad)
    assert enum_text(kind, 77) == "77?"


def test_as_json_has_every_field_and_only_the_set_one_of_a_oneof() -> None:
    event = pb.Event(time_ns=5, order=pb.Order(side=pb.SIDE_SELL, created_ns=2**62))
    value = as_json(event)
    assert set(value) == {"time_ns", "order"}
    inner = value["order"]
    assert isinstance(inner, dict)
    assert inner["side"] == "sell"
    assert inner["type"] == ""
    assert inner["created_ns"] == 2**62
    assert inner["fees"] == []
    json.dumps(value)


def test_a_bearer_token_is_read_back_and_anything_odd_is_no_token() -> None:
    assert bearer_token(bearer_metadata("abc")) == "abc"
    assert bearer_metadata("") == ()
    assert bearer_token(None) == ""
    assert bearer_token([("authorization", "Basic abc")]) == ""
    assert bearer_token([("authorization", "Bearer a"), ("authorization", "Bearer b")]) == ""


def test_error_detail_round_trips_and_categories_have_codes() -> None:
    ((key, raw),) = error_trailer("storage", "disk full", "/log", "free space")
    assert key == "oem-error-bin"
    detail = pb.ErrorDetail.FromString(raw)
    assert enum_text(pb.ErrorCategory, detail.category) == "storage"
    assert status_code_of("state") is grpc.StatusCode.FAILED_PRECONDITION
    assert status_code_of("nonsense") is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize("name", ["text", "tls", "errors", "server"])
def test_examples_in_the_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"oem_api.{name}")
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
