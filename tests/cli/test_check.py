"""`tq check` against a real broker, as a monitoring system calls it."""

import json
import signal

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, daemon, run_tq
from tq.client.task import Task

NOWHERE = "127.0.0.1:1"


def test_a_queue_within_its_limits_exits_0_and_one_beyond_exits_1(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_tasks([Task("send", queue=queue)] * 3)

    well = call_tq("check", "queue", queue, "--max-waiting", "3", "--max-dead", "0", "-u", broker.address)
    unwell = call_tq("check", "queue", queue, "--max-waiting", "2", "-u", broker.address)
    late = call_tq("check", "queue", queue, "--max-latency", "0", "-o", "json", "-u", broker.address)

    assert (well.returncode, unwell.returncode, late.returncode) == (0, 1, 1)
    assert unwell.stdout == f"FAILED  queue {queue}: 3 waiting tasks, at most 2\n"
    assert json.loads(late.stdout)["readings"][0]["reading"] == "latency_ms"


def test_a_queue_that_does_not_exist_exits_4_and_no_limit_at_all_exits_2(broker: RunningBroker, queue: str) -> None:
    unknown = call_tq("check", "queue", queue, "--max-dead", "1", "-o", "nagios", "-u", broker.address)
    limitless = call_tq("check", "queue", queue, "-u", broker.address)

    assert unknown.returncode == 4
    assert unknown.stdout.startswith(f"TQ UNKNOWN - there is no queue '{queue}'")
    assert limitless.returncode == 2


def test_a_broker_and_its_workers_are_checked(broker: RunningBroker) -> None:
    accepting = call_tq("check", "broker", "-o", "prometheus", "-u", broker.address)
    workers = call_tq("check", "workers", "--min", "0", "--queue", "none-serves-this", "-u", broker.address)
    too_few = call_tq("check", "workers", "--min", "999", "-u", broker.address)

    assert (accepting.returncode, workers.returncode, too_few.returncode) == (0, 0, 1)
    assert 'tq_check_ok{target="broker",subject="",reading="accepting"} 1' in accepting.stdout


def test_where_no_broker_answers_it_exits_3_and_says_so_on_stdout_in_the_shape_asked_for() -> None:
    nagios = call_tq("check", "broker", "-o", "nagios", "-u", NOWHERE)
    text = call_tq("check", "broker", "-u", NOWHERE)

    assert (nagios.returncode, text.returncode) == (3, 3)
    assert nagios.stdout.startswith("TQ UNKNOWN - no broker answers")
    assert (text.stdout, "no broker answers" in text.stderr) == ("", True)


def test_a_broker_that_is_there_and_does_not_answer_is_given_up_in_time(broker: RunningBroker) -> None:
    """A monitoring system that hangs with what it watches sees nothing."""
    with daemon("broker", "--port", "0", "--ephemeral", "--log-format", "json") as hung:
        port = json.loads(hung.wait_for("broker_started"))["addresses"][0].rpartition(":")[2]
        hung.process.send_signal(signal.SIGSTOP)
        done = run_tq("check", "broker", "--timeout", "500ms", "-o", "nagios", "-u", f"127.0.0.1:{port}")

    assert done.returncode in (3, 8)
    assert done.stdout.startswith("TQ UNKNOWN - ")
