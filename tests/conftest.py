"""For all tests: how Hypothesis looks for examples, Ctrl-C as it is, and brokers without edges."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Without deadlines: on two busy cores a slow example says nothing. The same examples each time, so that a failure in CI
# is the doing of the change under test and replays anywhere; campaigns set their own and draw new ones.
settings.register_profile("tq", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("tq")

# A test that wants the edges of a broker process says so: they are processes too, and their ports would be in use.
os.environ["TQ_API_REST_ENABLED"] = "false"
os.environ["TQ_API_GRPC_ENABLED"] = "false"


@pytest.fixture(autouse=True)
def interrupts_still_work() -> Iterator[None]:
    """What runs in a test's own process may take Ctrl-C for itself, and processes started later would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)
