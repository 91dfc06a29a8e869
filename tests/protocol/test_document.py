"""docs/protocol.md says what the code does: implementers of other languages have nothing else."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT, inspect

import tq
from tests.protocol.messages import FROM_BROKER, REQUESTS, tag_of
from tests.protocol.words import default_words, type_words
from tq.model.commands import GetTask
from tq.model.errors import ERRORS, Kind
from tq.model.ids import parse_id
from tq.model.replies import Delivery, ErrorReply
from tq.model.task import StoredTask
from tq.model.watching import Event, QueueLive, ScopePart, Totals, WorkerLive
from tq.protocol.codec import PROTOCOL_VERSION, encode_frame

TEXT = (Path(tq.__file__).parent.parent / "docs" / "protocol.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^#{2,3} ", TEXT, flags=re.MULTILINE)}
MESSAGES = REQUESTS + FROM_BROKER

RAW_PARTS = (StoredTask, ScopePart, Totals, QueueLive, WorkerLive, Event)
"""What travels as bytes that are encoded already: of Delivery, of WatchFrame, and of ScopePart."""


def parts_of(kinds: tuple[type[msgspec.Struct], ...]) -> list[type[msgspec.Struct]]:
    """The Structs inside these, and inside those, each once."""
    found: dict[type[msgspec.Struct], None] = {}

    def visit(info: inspect.Type) -> None:
        match info:
            case inspect.Metadata(type=inner):
                visit(inner)
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                visit(item)
            case inspect.UnionType(types=types):
                for each in types:
                    visit(each)
            case inspect.StructType(cls=struct, fields=fields):
                if struct not in kinds:
                    found[struct] = None
                for field in fields:
                    visit(field.type)
            case _:
                pass

    for kind in (*kinds, *RAW_PARTS):
        visit(inspect.type_info(kind))
    return list(found)


PARTS = parts_of(MESSAGES)


def rows_of(section: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]


def expected_rows(kind: type[msgspec.Struct]) -> list[list[str]]:
    rows = []
    for field in msgspec.structs.fields(kind):
        if field.name == "request_id":
            continue  # every request and reply has it, which the text says once
        default: Any = field.default if field.default_factory is NODEFAULT else field.default_factory()
        rows.append([f"`{field.name}`", type_words(inspect.type_info(field.type)), default_words(default)])
    return rows


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_stands_there_with_its_tag_and_its_fields_in_order(kind: type[msgspec.Struct]) -> None:
    section = SECTIONS[f"{kind.__name__}, tag {tag_of(kind)}"]
    names = [field.name for field in msgspec.structs.fields(kind)]

    assert f"`[{', '.join([str(tag_of(kind)), *names])}]`" in section
    assert [row[:3] for row in rows_of(section)] == expected_rows(kind)


@pytest.mark.parametrize("kind", PARTS)
def test_every_part_of_a_message_stands_there_with_its_fields_in_order(kind: type[msgspec.Struct]) -> None:
    section = SECTIONS[kind.__name__]
    names = [field.name for field in msgspec.structs.fields(kind)]

    form = f"`[{', '.join(names)}]`" if kind.__struct_config__.array_like else "A map."
    assert form in section
    assert [row[:3] for row in rows_of(section)] == expected_rows(kind)


def test_nothing_stands_there_that_is_not_in_the_code() -> None:
    documented = {title for title, section in SECTIONS.items() if "\n`[" in section or "\nA map." in section}

    assert documented == {f"{kind.__name__}, tag {tag_of(kind)}" for kind in MESSAGES} | {k.__name__ for k in PARTS}
    assert Delivery in PARTS


def test_every_request_says_what_answers_it() -> None:
    for kind in REQUESTS:
        section = SECTIONS[f"{kind.__name__}, tag {tag_of(kind)}"]
        assert "Reply: `" in section or "No reply." in section, kind


def test_every_error_stands_at_its_kind() -> None:
    kinds = {row[0]: row for row in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in SECTIONS["Errors"].splitlines()
        if line.startswith("| ")
    )}  # fmt: skip

    for kind in Kind:
        codes = {code for code, error in ERRORS.items() if error.kind is kind}
        assert set(re.findall(r"`(\w+)`", kinds[kind.value][1])) == codes


def test_the_worked_example_is_what_the_code_sends() -> None:
    lines = re.findall(r"^    ((?:[0-9a-f]{2} )+)", TEXT, flags=re.MULTILINE)

    request = encode_frame(GetTask(1, parse_id("0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b")))
    reply = encode_frame(ErrorReply(1, "TASK_NOT_FOUND", "no task", "go"))
    assert bytes.fromhex("".join(lines)) == request + reply


def test_the_version_is_the_one_of_the_code() -> None:
    assert f"Version {PROTOCOL_VERSION}." in TEXT
    assert f"`protocol_version` is {PROTOCOL_VERSION}." in TEXT
