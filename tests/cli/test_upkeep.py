"""Backup, restore, doctor and settings: what keeps a broker running."""

import json
import signal
from pathlib import Path

import yaml

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, daemon, environment, run_tq
from tq.client.blocking import Client
from tq.client.task import Task
from tq.config.settings import all_settings


def test_a_backup_of_a_running_broker_serves_the_same_tasks(broker: RunningBroker, queue: str, tmp_path: Path) -> None:
    task_id = broker.client.submit_task(Task("send", b"kept", queue=queue))

    saved = run_tq("backup", "copy", "-u", broker.address, cwd=tmp_path)
    restored = run_tq("restore", str(tmp_path / "copy"), str(tmp_path / "data"))
    with daemon("broker", "--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json") as other:
        other.wait_for("broker_started")
        with Client(f"unix://{tmp_path}/data/tq.sock") as client:
            payload = client.get_task(task_id).payload

    assert (saved.returncode, saved.stdout) == (0, "")
    assert f"tq restore {tmp_path}/copy" in saved.stderr
    assert restored.returncode == 0
    assert payload == b"kept"


def test_a_backup_does_not_overwrite_and_a_restore_does_not_either(broker: RunningBroker, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    assert call_tq("backup", str(tmp_path / "full"), "-u", broker.address).returncode == 2
    assert call_tq("restore", str(tmp_path / "nothing"), str(tmp_path / "data")).returncode == 2


def test_doctor_finds_nothing_after_a_kill_and_refuses_while_a_broker_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with daemon("broker", "--port", "0", "--data-dir", str(data), "--log-format", "json") as broker:
        broker.wait_for("broker_started")
        with Client(f"unix://{data}/tq.sock") as client:
            client.submit_tasks([Task("send")] * 50)
        in_use = call_tq("doctor", str(data))
        broker.end(signal.SIGKILL)

    healthy = call_tq("doctor", str(data))
    records = call_tq("doctor", str(data), "-o", "json")
    nowhere = call_tq("doctor", str(tmp_path / "nowhere"))

    assert in_use.returncode == 5
    assert (healthy.returncode, healthy.stderr) == (0, "Nothing is wrong.\n")
    assert json.loads(records.stdout) == []
    assert nowhere.returncode == 2


def test_what_a_power_cut_may_leave_is_told_and_is_no_failure(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with daemon("broker", "--port", "0", "--data-dir", str(data), "--log-format", "json") as broker:
        broker.wait_for("broker_started")
        with Client(f"unix://{data}/tq.sock") as client:
            client.submit_task(Task("send"))
        broker.end(signal.SIGKILL)
    (log,) = (data / "db").glob("*.log")
    with log.open("ab") as torn:
        torn.write(b"\x01\x02\x03")

    found = call_tq("doctor", str(data))

    assert found.returncode == 0
    assert "log_torn" in found.stdout
    assert "puts that right itself" in found.stderr


def test_doctor_names_damage_and_repairs_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with daemon("broker", "--port", "0", "--data-dir", str(data), "--log-format", "json") as broker:
        broker.wait_for("broker_started")
        with Client(f"unix://{data}/tq.sock") as client:
            for _ in range(20):  # each one says that those before it had been synced
                client.submit_task(Task("send"))
        broker.end(signal.SIGKILL)
    (log,) = (data / "db").glob("*.log")
    content = bytearray(log.read_bytes())
    content[len(content) // 4] ^= 0xFF
    log.write_bytes(content)

    found = run_tq("doctor", str(data), "-o", "json")
    repaired = run_tq("doctor", "--repair", str(data), "-o", "json")
    afterwards = run_tq("doctor", str(data))

    assert found.returncode == 1
    assert json.loads(found.stdout)[0]["is_repaired"] is False
    assert "--repair" in found.stderr
    assert repaired.returncode == 0
    assert all(finding["is_repaired"] for finding in json.loads(repaired.stdout))
    assert afterwards.returncode == 0


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "tq.yaml").write_text("broker:\n  port: 7000\n")

    done = call_tq("config", "show", "-o", "json", cwd=tmp_path, env=environment(TQ_LOG_LEVEL="debug"))

    settings = {setting["key"]: setting for setting in json.loads(done.stdout)}
    assert list(settings) == [setting.key for setting in all_settings()]
    assert (settings["broker.port"]["value"], settings["broker.port"]["source"]) == (7000, "tq.yaml")
    assert (settings["log.level"]["value"], settings["log.level"]["source"]) == ("debug", "TQ_LOG_LEVEL")
    assert settings["broker.host"]["source"] == "default"


def test_settings_for_people_are_as_yaml_writes_them() -> None:
    done = call_tq("config", "show")

    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert (rows["broker.port"], rows["broker.insecure"], rows["broker.socket"]) == ("6379", "false", '""')


def test_a_file_of_settings_is_right_or_its_mistake_is_named(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text(call_tq("config", "example").stdout)
    wrong.write_text("broker:\n  prot: 7000\n")

    good = call_tq("config", "check", str(right))
    bad = call_tq("config", "check", str(wrong))
    none = call_tq("config", "check", cwd=tmp_path)

    assert yaml.safe_load(right.read_text())["broker"]["port"] == 6379
    assert (good.returncode, good.stderr) == (0, f"{right} is right.\n")
    assert bad.returncode == 2
    assert "did you mean broker.port?" in bad.stderr
    assert none.returncode == 0
