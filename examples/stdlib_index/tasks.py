"""The application: what a worker runs. `tq worker stdlib_index.tasks:app`."""

import warnings
from pathlib import Path

import tq
from stdlib_index.facts import FileFacts, PackageFacts, merge, read_facts

app = tq.App("stdlib-index")
QUEUE = "index"

# Some test files have odd escapes on purpose; Python warns of each while it parses.
warnings.filterwarnings("ignore", category=SyntaxWarning)
warnings.filterwarnings("ignore", category=DeprecationWarning, message="invalid escape sequence")


@app.task(queue=QUEUE, timeout="30s", max_retries=2, retry=tq.retry(backoff=tq.expo("200ms", cap="1s")))
def index_file(package: str, path: Path) -> FileFacts:
    """Parse one file. What does not parse raises, is tried again, and ends in the dead letters: a real failure."""
    return read_facts(package, path.read_bytes(), str(path))


@app.task(queue=QUEUE, priority=tq.HIGH, timeout="1m")
def summarise(files: list[FileFacts]) -> list[PackageFacts]:
    """Merge the facts of all files into a ranking of packages."""
    return merge(files)
