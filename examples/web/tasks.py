"""What the worker of the web service runs: `tq worker tasks:app`."""

import re
from collections import Counter

import tq

app = tq.App("texts")
WORDS_PER_MINUTE = 238  # of English non-fiction: Brysbaert, "How many words do we read per minute?", 2019
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@app.task(queue="texts", timeout="30s")
def describe(text: str) -> dict[str, object]:
    """Statistics of a text: its words, sentences and lines, how long it takes to read, and its most frequent words."""
    words = [word.lower() for word in _WORD.findall(text)]
    return {
        "words": len(words),
        "different_words": len(set(words)),
        "sentences": len(re.findall(r"[.!?]+(?=\s|$)", text)),
        "lines": len(text.splitlines()),
        "minutes_to_read": round(len(words) / WORDS_PER_MINUTE, 1),
        "most_frequent": Counter(word for word in words if len(word) > 3).most_common(10),
    }
