"""What the broker adds to the engine's answers, because only the process knows it."""

import msgspec

from tests.cli.samples import EXPLANATION
from tq.model.insight import Because
from tq.model.replies import WhyReply
from tq.model.task import State
from tq.server.admission import Condition, explain_condition

REPLY = WhyReply(1, EXPLANATION)


def test_why_says_first_that_the_broker_starts_nothing_while_its_disk_is_full() -> None:
    reasons = explain_condition(REPLY, Condition.READ_ONLY).explanation.reasons

    assert reasons[0].code == Because.NOT_WRITABLE
    assert reasons[0].text == Condition.READ_ONLY.value
    assert reasons[1:] == EXPLANATION.reasons


def test_a_broker_that_writes_and_a_task_that_has_ended_need_no_such_reason() -> None:
    ended = WhyReply(1, msgspec.structs.replace(EXPLANATION, state=State.COMPLETED))

    assert explain_condition(REPLY, Condition.DISK_LOW) is REPLY
    assert explain_condition(ended, Condition.READ_ONLY) is ended
