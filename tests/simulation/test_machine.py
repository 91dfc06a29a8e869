"""The engine beside the plain model, driven by Hypothesis: what fails is shrunk to the fewest actions that fail.

In an ordinary run the examples are the same each time (tests/conftest.py); the campaign draws new ones and prints what
reproduces a failure.
"""

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.simulation import actions
from tests.simulation.world import World

T = TypeVar("T")

ORDINARY = settings(max_examples=60, stateful_step_count=50, suppress_health_check=list(HealthCheck))
CAMPAIGN = settings(
    ORDINARY,
    max_examples=int(os.environ.get("TQ_EXAMPLES", "2000")),
    stateful_step_count=100,
    derandomize=False,
)


class Drawn:
    """A Draw from Hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choose(self, options: Sequence[T]) -> T:
        return options[self._data.draw(st.integers(0, len(options) - 1))]

    def number(self, low: int, high: int) -> int:
        return self._data.draw(st.integers(low, high))


class BrokerMachine(RuleBasedStateMachine):
    """Every action of actions.py as a rule; World checks after each."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(seed=1)

    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        actions.submit(self.world, Drawn(data))

    @rule(data=st.data())
    def submit_many(self, data: st.DataObject) -> None:
        actions.submit_many(self.world, Drawn(data))

    @rule(data=st.data())
    def submit_wrong(self, data: st.DataObject) -> None:
        actions.submit_wrong(self.world, Drawn(data))

    @rule(data=st.data())
    def connect_worker(self, data: st.DataObject) -> None:
        actions.connect_worker(self.world, Drawn(data))

    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        actions.fetch(self.world, Drawn(data))

    @rule(data=st.data(), action=st.sampled_from([actions.ack, actions.nack, actions.release]))
    def settle(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(data=st.data(), action=st.sampled_from([actions.extend, actions.report_progress, actions.stop_cancelled]))
    def keep_or_stop(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(
        data=st.data(),
        action=st.sampled_from(
            [actions.heartbeat, actions.disconnect, actions.worker_died, actions.drain, actions.hold]
        ),
    )
    def live_or_die(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(data=st.data(), action=st.sampled_from([actions.cancel, actions.pause, actions.resume, actions.purge]))
    def operate(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(
        data=st.data(),
        action=st.sampled_from([actions.retry, actions.resubmit, actions.undo_operation, actions.cancel_operation]),
    )
    def bury_or_raise(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(data=st.data(), action=st.sampled_from([actions.prepare, actions.commit_operation]))
    def decide(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(data=st.data(), action=st.sampled_from([actions.wait, actions.list_tasks, actions.list_groups]))
    def look(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule(data=st.data())
    def repeat_request(self, data: st.DataObject) -> None:
        actions.repeat_request(self.world, Drawn(data))

    @rule(
        data=st.data(),
        action=st.sampled_from(
            [actions.tick, actions.pass_time, actions.pass_time_alive, actions.pass_long_time, actions.jump]
        ),
    )
    def let_time_pass(self, data: st.DataObject, action: actions.Action) -> None:
        action(self.world, Drawn(data))

    @rule()
    def advance(self) -> None:
        self.world.advance()

    @rule()
    def commit(self) -> None:
        self.world.commit()

    @rule()
    def sync(self) -> None:
        self.world.sync()

    @rule(is_power_cut=st.booleans())
    def crash(self, is_power_cut: bool) -> None:
        self.world.crash(is_power_cut=is_power_cut)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # of a failed example, the failure is what counts
            actions.settle_down(self.world)


@pytest.mark.timeout(300)
def test_the_engine_does_what_the_plain_model_does() -> None:
    run_state_machine_as_test(BrokerMachine, settings=ORDINARY)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_campaign_of_machines() -> None:
    """TQ_EXAMPLES examples of up to 100 actions."""
    run_state_machine_as_test(BrokerMachine, settings=CAMPAIGN)
