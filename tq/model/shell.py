"""Commands as text that can be copied into a shell and does what it says, whatever characters names have. Pure."""

import shlex
from collections.abc import Sequence


def command(verb: str, *words: str, options: Sequence[str] = ()) -> str:
    """A verb such as "tq task list", then options, then words that may hold anything, each as a shell takes it.

    An option with a value is one word, "--queue=mail": a value of its own could be read as an option. Before words of
    which one could, there is a `--`.
    """
    ends = ["--"] if any(word.startswith("-") for word in words) else []
    return " ".join([verb, *map(shlex.quote, [*options, *ends, *words])])
