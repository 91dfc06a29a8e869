"""For all tests: how Hypothesis looks for examples."""

from hypothesis import settings

# Without deadlines: on two busy cores a slow example says nothing. The same examples each time, so that a failure in CI
# is the doing of the change under test and replays anywhere; campaigns set their own and draw new ones.
settings.register_profile("tq", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("tq")
