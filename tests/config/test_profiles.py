from pathlib import Path

import pytest

from tq.config.address import default_addresses, destination
from tq.config.profiles import Profile, load_profiles, named_profile, profiles_path
from tq.model.errors import ConfigInvalid, InvalidArgument
from tq.model.identity import Role

TEXT = """
prod:
  address: ssh://anna@broker-1, tcp://broker-2
  token_file: prod.token
  role: viewer
  badge: PRODUCTION
  confirm_always: true
staging:
  address: staging:1
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a file of the two profiles above."""
    file = tmp_path / "profiles.yaml"
    file.write_text(TEXT.replace("prod.token", str(tmp_path / "prod.token")))
    token = tmp_path / "prod.token"
    token.write_text("tq_secret\n")
    token.chmod(0o600)
    return {"TQ_PROFILES": str(file)}


def test_the_file_lies_where_programs_keep_their_settings_or_where_one_says() -> None:
    assert profiles_path({"XDG_CONFIG_HOME": "/etc/xdg"}) == Path("/etc/xdg/tq/profiles.yaml")
    assert profiles_path({}) == Path("~/.config/tq/profiles.yaml").expanduser()
    assert profiles_path({"TQ_PROFILES": "~/mine"}) == Path("~/mine").expanduser()


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert load_profiles({"TQ_PROFILES": str(tmp_path / "none")}) == {}


def test_a_profile_is_read_with_all_that_it_says(environment: dict[str, str], tmp_path: Path) -> None:
    profiles = load_profiles(environment)

    assert profiles["staging"] == Profile("staging:1", name="staging")
    assert profiles["prod"] == Profile(
        "ssh://anna@broker-1, tcp://broker-2",
        token_file=str(tmp_path / "prod.token"),
        role=Role.VIEWER,
        badge="PRODUCTION",
        confirm_always=True,
        name="prod",
    )
    assert profiles["prod"].addresses == ("ssh://anna@broker-1", "tcp://broker-2")


def test_a_name_stands_for_addresses_token_and_role(environment: dict[str, str]) -> None:
    addresses = ("ssh://anna@broker-1", "tcp://broker-2")

    assert destination("prod", environment=environment) == (addresses, "tq_secret", Role.VIEWER)
    assert destination(["prod"], "given", environment=environment) == (addresses, "given", Role.VIEWER)
    assert destination(None, environment={**environment, "TQ_URL": "prod"}) == (addresses, "tq_secret", Role.VIEWER)
    assert default_addresses({**environment, "TQ_URL": " prod "}) == addresses


@pytest.mark.parametrize("address", ["host:1", "tcp://prod", "unix:///prod", "ssh://prod", ["a:1", "b:1"], None])
def test_an_address_is_no_name(address: str | list[str] | None) -> None:
    assert named_profile(address, {"TQ_PROFILES": "/none"}) is None
    assert destination(address, "token", Role.WORKER, {}) == (address, "token", Role.WORKER)


def test_a_name_that_is_none_is_refused_with_the_nearest(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        named_profile("stagin", environment)

    assert "'stagin' is neither a profile nor an address: for an address the port is missing" in caught.value.message
    assert caught.value.hint == "did you mean staging?"


def test_a_name_without_any_profile_says_where_they_would_be() -> None:
    with pytest.raises(InvalidArgument, match="`tq profile list` lists those of /none"):
        named_profile("prod", {"TQ_PROFILES": "/none"})


def test_a_name_stands_alone(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument, match="'prod' is the name of a profile, which stands alone"):
        named_profile("host:1,prod", environment)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prod: ssh://broker", "prod: 'ssh://broker' is not a mapping"),
        ("prod:\n  badge: x", "missing required field `address`"),
        ("prod:\n  address: ' '", "prod: the address is empty"),
        ("prod:\n  address: a:1\n  adress: b:1", "unknown field `adress`"),
        ("prod:\n  address: a:1\n  name: b", "there is no field `name`"),
        ("prod:\n  address: a:1\n  confirm_always: maybe", "confirm_always"),
        ("prod:\n  address: a:1\n  role: root", "role"),
        ("prod.eu:\n  address: a:1", "'prod.eu' is not the name of a profile"),
        ("a:\n  address: a:1\na:\n  address: b:1", "a stands there twice"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "profiles.yaml"
    file.write_text(text)

    with pytest.raises(ConfigInvalid) as caught:
        load_profiles({"TQ_PROFILES": str(file)})

    assert str(file) in caught.value.message
    assert why in caught.value.message
    assert "docs/remote.md" in caught.value.hint or "twice" in why


@pytest.mark.parametrize(
    ("mode", "content", "why"),
    [
        (0o644, b"tq_x", "can be read by others"),
        (0o600, b"x" * 5_000, "more than 4096 characters"),
        (0o600, b"\xff", "it is not UTF-8"),
        (None, b"", "cannot be read: No such file"),
    ],
)
def test_a_token_file_that_is_none_is_refused(mode: int | None, content: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    if mode is not None:
        file.write_bytes(content)
        file.chmod(mode)

    with pytest.raises(ConfigInvalid, match=why) as caught:
        Profile("host:1", token_file=str(file)).token()
    assert content.decode(errors="replace") not in str(caught.value) or not content


def test_the_documentation_shows_a_file_that_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "remote.md").read_text()
    file = tmp_path / "profiles.yaml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])

    assert list(load_profiles({"TQ_PROFILES": str(file)})) == ["prod", "staging"]
