"""Where the demo is: an ordinary application and its driver, in examples/stdlib_index/.

It is an example and not a part of the package, so that what it shows is what any application can do. In a checkout it
lies beside the package; a wheel carries it inside, as tq/examples/ (pyproject.toml, force-include). Either way the
directory goes on PYTHONPATH, and its module has the same name.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import tq
from tq.config.loading import Flag
from tq.model.errors import InvalidArgument

APP = "stdlib_index.tasks:app"
DRIVER = "stdlib_index"
DEMO_SETTINGS = (
    # Parsing holds the interpreter's lock: one process for each core.
    Flag("--demo", "worker.processes", min(8, os.cpu_count() or 1)),
    # Its failures are part of the show, and shown at its end.
    Flag("--demo", "log.level", "error"),
)
"""What the demo sets unless a flag says otherwise."""


def examples_directory(package: Path | None = None) -> Path:
    """The directory that holds the demo's module.

    Raises:
        InvalidArgument: this installation came without the examples.
    """
    package = package or Path(tq.__file__).parent
    for place in (package / "examples", package.parent / "examples"):
        if (place / DRIVER / "__main__.py").is_file():
            return place
    raise InvalidArgument(f"there are no examples beside {package}", hint="run the demo from a checkout: make demo")


def demo_environment(environment: Mapping[str, str], address: str) -> dict[str, str]:
    """The environment of the demo's worker and driver: where its module is, and where the broker."""
    path = os.pathsep.join(filter(None, (str(examples_directory()), environment.get("PYTHONPATH", ""))))
    return {**environment, "PYTHONPATH": path, "TQ_URL": address}
