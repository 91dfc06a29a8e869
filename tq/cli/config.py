"""`tq config`: the settings in force, and whether a file of them is right."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tq.cli.groups import NounGroup
from tq.cli.listing import Cell, Column, View, emit
from tq.cli.options import ColorOption, ConfigFile, OutputOption
from tq.cli.terminal import say

if TYPE_CHECKING:
    from tq.config.loading import LoadedSettings
    from tq.config.settings import Setting

app = typer.Typer(cls=NounGroup, no_args_is_help=True)


@app.command("show")
def show(config: ConfigFile = None, output: OutputOption = "table", color: ColorOption = "auto") -> None:
    """List every setting: its value, where that comes from, and what it means.

    \b
    tq config show -o jsonl | jq 'select(.source != "default")'
    """
    from tq.config.loading import load_settings
    from tq.config.settings import all_settings

    loaded = load_settings(config)
    emit(all_settings(), settings_view(loaded), output, color)


@app.command("check")
def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A YAML file; else the one in force.")] = None,
) -> None:
    """Check a file of settings, with the environment on top. Exits 2 and says what is wrong, or 0."""
    from tq.config.loading import load_settings

    loaded = load_settings(file)
    say(f"{loaded.file} is right." if loaded.file else "There is no file of settings; the environment is right.")


@app.command("example")
def example() -> None:
    """Print a file of all settings with their defaults, to start from."""
    from tq.config.example import example_yaml

    typer.echo(example_yaml(), nl=False)


def settings_view(loaded: "LoadedSettings") -> View["Setting"]:
    """The settings in force."""

    def value(setting: "Setting") -> object:
        return getattr(getattr(loaded.settings, setting.section), setting.name)

    def cells(setting: "Setting") -> tuple[Cell, ...]:
        source = loaded.sources[setting.key]
        style = "" if source == "default" else "bold"
        return (Cell(setting.key, style), Cell(_shown(value(setting)), style), Cell(source), Cell(setting.description))

    def record(setting: "Setting") -> dict[str, object]:
        return {
            "key": setting.key,
            "value": value(setting),
            "default": setting.default,
            "source": loaded.sources[setting.key],
            "variable": setting.variable,
            "expected": setting.expected,
            "description": setting.description,
        }

    columns = (
        Column("SETTING"),
        Column("VALUE", is_elastic=True, least=12),
        Column("FROM", rank=1, is_elastic=True),
        Column("MEANING", rank=2, is_elastic=True, least=24),
    )
    return View(columns, cells, record, lambda setting: setting.key, "No settings.")


def _shown(value: object) -> str:
    """As YAML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return '""' if value == "" else str(value)
