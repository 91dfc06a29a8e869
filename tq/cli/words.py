"""Numbers with their nouns, as messages have them."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """1 -> "1 task", 1204 -> "1,204 tasks"; `plural` where adding an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
