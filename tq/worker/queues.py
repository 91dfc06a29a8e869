"""`--queues mail:10,default:1`: which queues a worker serves, and which of them first."""

from tq.model.commands import QueuePreference
from tq.model.errors import InvalidArgument
from tq.model.names import check_name

PRIORITY_MIN, PRIORITY_MAX = 0, 1_000_000


def parse_queues(text: str) -> list[QueuePreference]:
    """The queues named in `text`, in its order; an empty text means all queues.

    Args:
        text: names separated by commas, each with `:priority` or without (then 0). Higher priorities are served first.
            A name with a colon of its own needs a priority: `a:b:5` is queue `a:b`.

    Raises:
        InvalidArgument: a name is empty, wrong or given twice, or a priority is not a number from 0 to a million.
    """
    found: dict[str, QueuePreference] = {}
    if not text.strip():
        return []
    for part in text.split(","):
        name, colon, number = part.strip().rpartition(":")
        if not colon:
            name, number = number, "0"
        name = name.strip()
        check_name("queue", name)
        if not (number.strip().isdecimal() and PRIORITY_MIN <= int(number) <= PRIORITY_MAX):
            raise InvalidArgument(
                f"queue {name!r}: {number.strip()!r} is not a priority from 0 to {PRIORITY_MAX}",
                hint="write queues as name or name:priority, such as mail:10,default:1",
            )
        if name in found:
            raise InvalidArgument(f"queue {name!r} is named twice")
        found[name] = QueuePreference(name, int(number))
    return list(found.values())
