"""`tq profile`: the names of brokers."""

from typing import TYPE_CHECKING

import typer

from tq.cli.groups import NounGroup
from tq.cli.listing import Cell, Column, View, emit
from tq.cli.options import ColorOption, OutputOption
from tq.views.moments import NONE

if TYPE_CHECKING:
    from tq.config.profiles import Profile

app = typer.Typer(cls=NounGroup, no_args_is_help=True)


@app.command("list")
def list_(output: OutputOption = "table", color: ColorOption = "auto") -> None:
    """List the profiles: names for brokers, good wherever an address is, such as tq stats --url prod.

    \b
    TQ_URL=prod tq queue list

    They stand in ~/.config/tq/profiles.yaml, or the file that TQ_PROFILES names.
    """
    from tq.config.profiles import load_profiles, profiles_path

    nothing = f"No profiles in {profiles_path()}. docs/remote.md shows how to write one."
    emit(load_profiles().values(), profiles_view(nothing), output, color)


def profiles_view(nothing: str) -> "View[Profile]":
    """How profiles are listed. `nothing` is said where there is none."""

    def cells(profile: "Profile") -> tuple[Cell, ...]:
        return (
            Cell(profile.name),
            Cell(", ".join(profile.addresses)),
            Cell(profile.role),
            Cell(profile.badge or NONE, "bold" if profile.badge else ""),
            Cell("always" if profile.confirm_always else NONE),
            Cell(profile.token_file or NONE),
        )

    columns = (
        Column("NAME"),
        Column("ADDRESS", is_elastic=True),
        Column("ROLE", rank=1),
        Column("BADGE"),
        Column("ASKS", rank=2),
        Column("TOKEN FILE", rank=3),
    )
    return View(columns, cells, profile_record, lambda profile: profile.name, nothing)


def profile_record(profile: "Profile") -> dict[str, object]:
    """The JSON of a profile: what its file says, and its name."""
    return {
        "name": profile.name,
        "address": profile.address,
        "token_file": profile.token_file,
        "role": profile.role.value,
        "badge": profile.badge,
        "confirm_always": profile.confirm_always,
    }
