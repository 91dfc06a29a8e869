"""Which tasks a verb is about: a selector from its arguments, and the pages of what that finds."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from tq.cli.reach import complete_queue
from tq.model.commands import BATCH_MAX, Order
from tq.model.errors import SelectorInvalid
from tq.model.plain import plain
from tq.model.replies import TaskPage
from tq.model.selector import Field, Selector, StateTerm, Term, literal_term, parse
from tq.model.task import State, TaskSummary

if TYPE_CHECKING:
    from tq.client.blocking import Client

_CONTEXT_CHARS = 50
"""Of a selector, what is shown on each side of a slip."""
_INDENT = "    "


class SelectorCommand(TyperCommand):
    """A verb that takes a selector. An inverted term, such as -tag:x, would be read as options: it goes behind `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: D102
        return super().parse_args(ctx, inverted_last(args))


def inverted_last(arguments: Sequence[str]) -> list[str]:
    """The arguments with inverted terms after a `--`; what stands after one already stays as it is."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    inverted = [argument for argument in arguments[:end] if _is_inverted_term(argument)]
    if not inverted:
        return list(arguments)
    others = [argument for argument in arguments[:end] if not _is_inverted_term(argument)]
    return [*others, "--", *inverted, *arguments[end + 1 :]]


def _is_inverted_term(argument: str) -> bool:
    name, colon, _ = argument[1:].partition(":")
    return argument.startswith("-") and colon == ":" and name in list(Field)


def complete_selector(incomplete: str) -> list[str]:
    """The fields; after `queue:` and `state:` what stands there."""
    name, colon, value = incomplete.partition(":")
    if not colon:
        return [f"{field}:" for field in Field if field.startswith(name)]
    match name:
        case Field.QUEUE:
            values = complete_queue(value)
        case Field.STATE:
            values = [state for state in State if state.startswith(value)]
        case _:
            values = []
    return [f"{name}:{each}" for each in values]


Selecting = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SELECTOR]...",
        autocompletion=complete_selector,
        help="Which tasks: queue:mail* type:send_* err:Timeout 'age:>2h' -tag:x, or text in the type or the error.",
    ),
]
Sort = Annotated[
    Literal["id", "age", "queue"] | None,
    typer.Option("--sort", help="By id, by age (youngest first) or by queue; without it as they are found fastest."),
]
Reverse = Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")]


def read_selector(
    arguments: Sequence[str] | None,
    *,
    state: State | None = None,
    queue: str | None = None,
    task_type: str | None = None,
    read: Callable[[str], Selector] = parse,
) -> Selector:
    """The selector of all arguments together, and of the options that are short for a term.

    Args:
        read: makes the selector of a text, or refuses it.

    Raises:
        SelectorInvalid: it makes no sense; the message shows it with a mark under the character.
    """
    text = " ".join(arguments or ())
    try:
        terms = read(text).terms
    except SelectorInvalid as error:
        raise _marked(error, text) from None
    return Selector((*terms, *_terms_of_options(state, queue, task_type)))


def _terms_of_options(state: State | None, queue: str | None, task_type: str | None) -> Iterator[Term]:
    if state is not None:
        yield StateTerm((state,))
    if queue is not None:
        yield literal_term(Field.QUEUE, queue)
    if task_type is not None:
        yield literal_term(Field.TYPE, task_type)


def _marked(error: SelectorInvalid, text: str) -> SelectorInvalid:
    """The same error, its message with the selector and a mark under the character."""
    from rich.cells import cell_len

    position = error.position or 0
    start = max(0, position - _CONTEXT_CHARS)
    before, after = plain(text[start:position]), plain(text[position : position + _CONTEXT_CHARS])
    mark = " " * cell_len(before) + "^"
    return SelectorInvalid(f"{error.message}\n{_INDENT}{before}{after}\n{_INDENT}{mark}", hint=error.hint)


class Listing:
    """The tasks of a selector as of now, page by page, up to `limit`; None for all."""

    def __init__(
        self,
        client: "Client",
        selector: Selector,
        order: Order,
        *,
        is_descending: bool = False,
        limit: int | None = None,
    ) -> None:
        self._client = client
        self._selector = selector
        self._order = order
        self._is_descending = is_descending
        self._limit = limit
        self._has_more = False
        self._first: TaskPage | None = None

    def __iter__(self) -> Iterator[TaskSummary]:
        cursor, as_of, left = b"", 0, self._limit
        while left is None or left > 0:
            size = BATCH_MAX if left is None else min(BATCH_MAX, left)
            page = self._client.list_tasks(self._selector, self._order, self._is_descending, size, cursor, as_of)
            if not cursor:
                self._first = page
            yield from page.tasks
            left = None if left is None else left - len(page.tasks)
            cursor, as_of = page.cursor, page.as_of
            self._has_more = bool(cursor)
            if not cursor:
                return

    def conclusion(self, shown: int) -> str | None:
        """After the last of them: a sentence on what was not shown; None if nothing is known to be left."""
        first = self._first
        if not self._has_more or first is None or (first.is_total_exact and shown >= first.total):
            return None
        of_all = f"{first.total:,}"
        if not first.is_total_exact:
            of_all = f"at least {max(first.total, shown):,} (counting stopped after {first.examined:,} rows)"
        return f"{shown:,} shown of {of_all}; for more: --limit N or --all"
