"""Annotations in the words that workers announce."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from tq.app.announcing import announced, words_of
from tq.app.context import Context
from tq.app.signature import Signature
from tq.model.signatures import Parameter, TaskSignature


class Kind(Enum):
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass
class Order:
    number: int


class Point(msgspec.Struct, array_like=True):
    x: int


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, ["int"]),
        (bool, ["bool"]),
        (str | None, ["str", "null"]),
        (Any, []),
        (object, []),
        (int | Any, []),
        (bytes, ["bytes"]),
        (datetime, ["datetime"]),
        (date | timedelta, ["date", "timedelta"]),
        (UUID, ["uuid"]),
        (str | UUID, ["str", "uuid"]),
        (Decimal, ["decimal"]),
        (list[int], ["array of int"]),
        (Sequence[list[str]], ["array of array of str"]),
        (list[int | str], ["array"]),
        (set[str], ["array of str"]),
        (tuple[int, str], ["array"]),
        (dict[str, float], ["map of float"]),
        (dict[str, Any], ["map"]),
        (Order, ["map"]),
        (Point, ["array"]),
        (Path, []),
        (Kind, ['= "daily"', '= "weekly"']),
        (Literal["a", 1, None], ["= 1", '= "a"', "null"]),
        (Annotated[int, msgspec.Meta(ge=1)], ["int"]),
        (Literal["x" * 200], []),
    ],
)
def test_an_annotation_becomes_words(hint: Any, words: list[str]) -> None:
    assert sorted(words_of(hint)) == sorted(words)


def test_a_handler_is_announced_as_its_payload_is_without_the_context() -> None:
    def handler(user_id: int, *rest: str, urgent: bool = False, ctx: Context, **more: float) -> None: ...

    assert announced([("mail", Signature("mail", handler))]) == [
        TaskSignature(
            "mail",
            [
                Parameter("user_id", ["int"]),
                Parameter("rest", ["array of str"], False),
                Parameter("urgent", ["bool"], False),
                Parameter("more", ["map of float"], False),
            ],
        )
    ]


def test_a_handler_without_parameters_is_announced_too() -> None:
    assert announced([("tick", Signature("tick", lambda: None))]) == [TaskSignature("tick", [])]
