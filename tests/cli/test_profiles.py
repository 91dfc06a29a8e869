"""`tq profile list`, and a name where an address is expected."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, environment
from tq.cli.options import complete_profile


def test_a_profile_is_as_good_as_its_address(broker: RunningBroker, tmp_path: Path) -> None:
    file = tmp_path / "profiles.yaml"
    file.write_text(f"here:\n  address: {broker.address}\n  badge: TEST\n")
    env = environment(TQ_PROFILES=str(file))

    by_flag = call_tq("--url", "here", "queue", "list", "-o", "json", env=env)
    by_variable = call_tq("queue", "list", "-o", "json", env={**env, "TQ_URL": "here"})
    listed = call_tq("profile", "list", "-o", "json", env=env)

    assert (by_flag.returncode, by_variable.returncode, listed.returncode) == (0, 0, 0)
    assert [profile["badge"] for profile in json.loads(listed.stdout)] == ["TEST"]


def test_where_there_is_none_it_is_said_where_they_would_be() -> None:
    done = call_tq("profile", "list", env=environment(TQ_PROFILES="/none/profiles.yaml"))

    assert (done.returncode, done.stdout) == (0, "")
    assert "No profiles in /none/profiles.yaml." in done.stderr


def test_their_names_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "profiles.yaml"
    file.write_text("prod:\n  address: a:1\nstaging:\n  address: b:1\n")
    monkeypatch.setenv("TQ_PROFILES", str(file))

    assert complete_profile("pr") == ["prod"]
    file.write_text("prod: [")
    assert complete_profile("pr") == []


def test_the_role_of_a_profile_is_the_most_that_one_is_there(broker: RunningBroker, tmp_path: Path) -> None:
    file = tmp_path / "profiles.yaml"
    file.write_text(f"look:\n  address: {broker.address}\n  role: viewer\n")
    env = environment(TQ_PROFILES=str(file))

    looking = call_tq("-u", "look", "queue", "list", env=env)
    acting = call_tq("-u", "look", "queue", "pause", "mail", env=env)
    working = call_tq("worker", "tests.cli.handlers:app", "-u", "look", env=env)

    assert (looking.returncode, acting.returncode, working.returncode) == (0, 6, 2)
    assert "the profile wants no more than the role viewer" in working.stderr
