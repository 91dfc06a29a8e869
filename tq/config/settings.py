"""What is known of every setting: its type in words, its default, its meaning, and its environment variable."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from tq.model.settings import Settings


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. `key` is dotted, such as broker.port; `expected` says what a value must be."""

    section: str
    name: str
    type: Any
    default: str | int | bool
    expected: str
    description: str

    @property
    def key(self) -> str:
        """The name by which errors and `tq config show` call it."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"TQ_{self.section}_{self.name}".upper()


def all_settings() -> Iterator[Setting]:
    """Every setting, in the order of config.example.yaml."""
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            yield Setting(
                section=section.name,
                name=field.name,
                type=field.type,
                default=field.default,
                expected=_expected(inspect.type_info(field.type)),
                description=_description(inspect.type_info(field.type)),
            )


def section_meaning(section: str) -> str:
    """The one line that says what a section is about."""
    for field in msgspec.structs.fields(Settings):
        if field.name == section:
            return (field.type.__doc__ or "").splitlines()[0]
    raise AssertionError(section)


def _description(info: inspect.Type) -> str:
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return str((schema or {})["description"])


def _expected(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(type=inner):
            return _expected(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=smallest, le=largest):
            if smallest is not None and largest is not None:
                return f"a whole number from {smallest} to {largest}"
            return f"a whole number of at least {smallest}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(str(value) for value in values)}"
        case inspect.StrType():
            return "text"
    raise AssertionError(f"a setting of a type without words: {info}")
