"""Every setting has a default that is valid, and one line that says what it means."""

from typing import get_type_hints

import msgspec
import pytest

from tq.model.settings import Settings

SECTIONS = {name: type(getattr(Settings(), name)) for name in Settings.__struct_fields__}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_says_in_one_line_what_it_means(name: str) -> None:
    for field, hint in get_type_hints(SECTIONS[name], include_extras=True).items():
        described = [meta.description for meta in getattr(hint, "__metadata__", ()) if meta.description]
        assert described, f"{name}.{field}"
        assert "\n" not in described[0]


@pytest.mark.parametrize("name", SECTIONS)
def test_the_defaults_keep_their_own_bounds(name: str) -> None:
    defaults = msgspec.to_builtins(getattr(Settings(), name))

    assert msgspec.convert(defaults, SECTIONS[name]) == getattr(Settings(), name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"broker": {"port": 65_536}},
        {"broker": {"port": "6379"}},
        {"broker": {"prot": 1}},
        {"brokers": {}},
        {"persistence": {"sync": "sometimes"}},
        {"worker": {"concurrency": 0}},
    ],
    ids=str,
)
def test_an_unknown_or_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Settings)


def test_the_names_and_defaults_of_the_manual_stand() -> None:
    settings = Settings()

    assert (settings.broker.host, settings.broker.port, settings.broker.max_connections) == ("127.0.0.1", 6379, 1_000)
    assert (settings.broker.queue_depth_threshold, settings.broker.max_payload_bytes) == (100_000, 1 << 20)
    assert (settings.persistence.sync, settings.persistence.wal_sync_interval_ms) == ("always", 100)
    assert (settings.worker.concurrency, settings.worker.heartbeat_interval_secs) == (4, 15)
