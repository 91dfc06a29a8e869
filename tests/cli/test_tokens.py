"""`tq token`, `tq audit` and what a token does, on a real broker."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.processes import call_tq, daemon, environment
from tq.cli.audit import audit_view
from tq.cli.tokens import tokens_view
from tq.model.credentials import AuditEntry, TokenInfo
from tq.model.identity import Role
from tq.views.records import audit_record, token_record

NOW_MS = 1_764_000_000_000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A broker with a token: its unix socket, and its TCP address."""
    data = tmp_path_factory.mktemp("guarded")
    with daemon("broker", "--port", "0", "--data-dir", str(data), "--log-format", "json") as process:
        started = json.loads(process.wait_for("broker_started"))
        unix, tcp = f"unix://{data}/tq.sock", started["addresses"][0]
        assert call_tq("token", "create", "first", "--role", "admin", "-u", unix).returncode == 0
        yield unix, tcp
        assert process.end() == 0


def made_token(unix: str, name: str, *flags: str) -> str:
    done = call_tq("token", "create", name, *flags, "-u", unix)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_token_goes_to_stdout_alone_and_what_to_know_of_it_to_stderr(guarded: tuple[str, str]) -> None:
    done = call_tq(
        "token", "create", "ci", "--role", "producer", "--queue", "mail*", "--expires", "90d", "-u", guarded[0]
    )

    assert done.stdout.startswith("tq_")
    assert len(done.stdout.split()) == 1
    assert "cannot be shown again. ci is producer of mail* until 20" in done.stderr
    assert "first token" not in done.stderr


def test_the_json_of_a_new_token_has_it_and_that_of_the_list_has_not(guarded: tuple[str, str]) -> None:
    made = json.loads(made_token(guarded[0], "in-json", "--role", "viewer", "-o", "json"))
    listed = call_tq("token", "list", "-o", "json", "-u", guarded[0])

    assert (made["name"], made["role"], made["expires_at_ms"]) == ("in-json", "viewer", None)
    assert made["token"].startswith(f"tq_{made['id']}_")
    assert made["token"] not in listed.stdout
    assert "in-json" in [token["name"] for token in json.loads(listed.stdout)]


def test_a_broker_with_a_token_asks_for_one_over_tcp_and_takes_that_of_a_file(
    guarded: tuple[str, str], tmp_path: Path
) -> None:
    unix, tcp = guarded
    file = tmp_path / "token"
    file.write_text(made_token(unix, "of-file", "--role", "viewer"))
    file.chmod(0o600)

    without = call_tq("stats", "-u", tcp)
    by_flag = call_tq("--token-file", str(file), "stats", "-u", tcp)
    by_variable = call_tq("stats", "-u", tcp, env=environment(TQ_TOKEN_FILE=str(file)))
    too_much = call_tq("--token-file", str(file), "queue", "pause", "mail", "-u", tcp)

    assert (without.returncode, by_flag.returncode, by_variable.returncode) == (6, 0, 0)
    assert "tq token create NAME --role ROLE" in without.stderr
    assert too_much.returncode == 6
    assert "PauseQueue needs the role operator; token:of-file has the role viewer" in too_much.stderr


def test_a_token_of_some_queues_is_good_for_those(guarded: tuple[str, str]) -> None:
    unix, tcp = guarded
    env = environment(TQ_TOKEN=made_token(unix, "mailer", "--role", "producer", "--queue", "mail*"))

    inside = call_tq("submit", "--type", "send", "--queue", "mail-eu", "-u", tcp, env=env)
    outside = call_tq("submit", "--type", "send", "--queue", "bank", "-u", tcp, env=env)
    seen = call_tq("queue", "list", "-o", "name", "-u", tcp, env=env)

    assert (inside.returncode, outside.returncode) == (0, 6)
    assert "confined to the queues mail*: queue 'bank' is not one of them" in outside.stderr
    assert seen.stdout.split() == ["mail-eu"]


def test_a_revoked_token_is_refused_by_its_id_alone(guarded: tuple[str, str]) -> None:
    unix, tcp = guarded
    token = made_token(unix, "leaked", "--role", "admin")
    revoked = call_tq("token", "revoke", "leaked", "-u", unix)
    again = call_tq("token", "revoke", "leaked", "-u", unix)
    refused = call_tq("stats", "-u", tcp, env=environment(TQ_TOKEN=token))

    assert (revoked.returncode, again.returncode, refused.returncode) == (0, 4, 6)
    assert f"token {token[:15]}_*** is not known here" in refused.stderr
    assert token not in refused.stderr


def test_the_audit_tells_what_was_done_the_latest_first(guarded: tuple[str, str]) -> None:
    unix = guarded[0]
    call_tq("submit", "--type", "send", "--queue", "audited", "-u", unix)
    call_tq("queue", "pause", "audited", "--reason", "disk \x1b[31mfull", "-u", unix)
    call_tq("queue", "resume", "audited", "-u", unix)
    told = call_tq("audit", "--since", "5m", "--action", "*e", "--who", "uid", "-o", "json", "-u", unix)
    table = call_tq("audit", "--action", "pause", "-u", unix, env=environment(COLUMNS="200"))
    nothing = call_tq("audit", "--who", "nobody-of-this-name", "-u", unix)

    entries = [entry for entry in json.loads(told.stdout) if entry["target"] == "audited"]
    assert [(entry["action"], entry["origin"]) for entry in entries] == [("resume", "unix"), ("pause", "unix")]
    assert "disk" in table.stdout
    assert "\x1b[31m" not in table.stdout
    assert nothing.stderr == "Nothing was done.\n"


def test_a_token_is_shown_with_what_it_is_good_for() -> None:
    token = TokenInfo(
        id="0123456789ab",
        name="ci",
        role=Role.PRODUCER,
        queues=("mail*", "news"),
        created_at_ms=NOW_MS - 60_000,
        created_by="uid:0 root",
        expires_at_ms=NOW_MS,
    )
    cells = [cell.text for cell in tokens_view(NOW_MS).cells(token)]

    assert cells == ["ci", "producer", "mail*, news", "expired", "0123456789ab", "1m ago", "uid:0 root"]
    assert token_record(token)["expires_at_ms"] == NOW_MS


def test_an_entry_of_the_audit_is_shown_with_all_that_is_known() -> None:
    entry = AuditEntry(
        at_ms=NOW_MS - 60_000,
        actor="token:ci",
        origin="tls 10.0.0.7",
        action="retry",
        target="queue:mail",
        count=1_200,
        reason="fixed",
        operation=b"\x01\x02",
    )
    cells = [cell.text for cell in audit_view(NOW_MS).cells(entry)]

    assert cells == ["1m ago", "token:ci", "retry", "queue:mail", "1,200", "fixed", "tls 10.0.0.7", "0102"]
    assert audit_record(entry)["operation"] == "0102"
