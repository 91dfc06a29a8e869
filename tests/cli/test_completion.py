"""Tab completes verbs, options, and the names that the broker has; it never waits long, and never complains."""

import signal
import subprocess
from pathlib import Path

from tests.cli.conftest import RunningBroker
from tests.cli.processes import TQ, daemon, environment, run_tq
from tq.client.task import Task


def _complete(line: str, address: str) -> list[str]:
    """What bash is told when Tab is pressed at the end of the line."""
    env = environment(_TQ_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")), TQ_URL=address)
    done = subprocess.run(TQ, env=env, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.split()


def test_verbs_are_completed(broker: RunningBroker) -> None:
    assert _complete("tq que", broker.address) == ["queue"]
    assert set(_complete("tq queue p", broker.address)) == {"pause", "purge"}


def test_queues_are_completed_with_live_names(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_task(Task("send", queue=queue))

    assert queue in _complete("tq queue pause q-", broker.address)
    assert queue in _complete(f"tq submit --queue {queue[:4]}", broker.address)
    assert _complete("tq queue pause none-like-this", broker.address) == []


def test_without_a_broker_nothing_is_completed_and_nothing_is_said() -> None:
    assert _complete("tq queue pause ", "127.0.0.1:1") == []
    assert _complete("tq worker drain ", "127.0.0.1:1") == []


def test_the_completion_of_each_shell_can_be_printed() -> None:
    done = run_tq("--show-completion", "bash")

    assert done.returncode == 0
    assert "_TQ_COMPLETE" in done.stdout


def test_a_broker_that_hangs_does_not_hang_the_shell(tmp_path: Path) -> None:
    with daemon("broker", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "json") as hanging:
        hanging.wait_for("broker_started")
        hanging.process.send_signal(signal.SIGSTOP)

        assert _complete("tq queue pause ", f"unix://{tmp_path}/tq.sock") == []
