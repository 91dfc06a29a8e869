"""docs/grpc.md lists what there is, and nothing else."""

import re
from pathlib import Path

import pytest

from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.server import METADATA_BYTES_MAX, Limits
from tq.edges.grpc.work import CREDIT_MAX, REPLY_BYTES
from tq.model.error_statuses import of_error
from tq.model.errors import ERRORS
from tq.model.settings import ApiSettings

PAGE = (Path(__file__).parents[3] / "docs/grpc.md").read_text()


def row(first: str) -> str:
    """The rest of a row of a table."""
    (found,) = re.findall(rf"^\| {re.escape(first)} \| (.*) \|$", PAGE, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("service", list(pb.DESCRIPTOR.services_by_name))
def test_all_calls_are_listed(service: str) -> None:
    listed = re.findall(r"`(\w+)`", row(f"`tq.v1.{service}`"))

    assert listed == [method.name for method in pb.DESCRIPTOR.services_by_name[service].methods]


def test_every_code_is_in_the_row_of_its_status() -> None:
    listed = {
        code: status
        for status, codes in re.findall(r"^\| ([A-Z_]+) \| (`.*) \|$", PAGE, re.MULTILINE)
        if status != "UNAUTHENTICATED"
        for code in re.findall(r"`([A-Z_]+)`", codes)
    }

    assert listed == {code: of_error(error).grpc.name for code, error in ERRORS.items()}


def test_the_limits_are_those_of_the_code() -> None:
    limits, api = Limits(), ApiSettings()

    assert f"{api.max_body_bytes >> 20} MiB" in row("a message to the broker")
    assert row("connections").startswith(f"`api.max_connections`, {api.max_connections:,}")
    assert f"{limits.calls_max:,}; {limits.streams_per_connection_max:,}" in row(
        "calls at once, of all callers; of one connection"
    )
    assert f"{METADATA_BYTES_MAX >> 10} KiB" in row("metadata of a call")
    assert f"pinged after {limits.ping_after_secs} s" in PAGE
    assert f"packed into messages of {REPLY_BYTES >> 20} MiB" in PAGE
    assert f"At most {CREDIT_MAX:,} tasks" in PAGE


def test_the_port_is_the_one_of_the_settings() -> None:
    assert f"port {ApiSettings().grpc_port}" in PAGE
