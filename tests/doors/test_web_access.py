"""Who may come in by the browser, without a browser."""

import pytest

from tq.doors.web_access import BROWSERS_MAX, COOKIE_SECONDS, Passes, Places
from tq.model.errors import InvalidArgument


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passes(clock: Clock) -> Passes:
    return Passes(clock)


def test_a_link_lets_one_browser_in_and_no_second(passes: Passes) -> None:
    link = passes.new_link()

    cookie = passes.exchange(link)

    assert cookie is not None
    assert passes.is_known(cookie)
    assert passes.exchange(link) is None


def test_nothing_but_the_link_is_exchanged(passes: Passes) -> None:
    assert passes.exchange("") is None, "before there is a link"
    link = passes.new_link()

    for wrong in ("", link[:-1], link + "x", link.swapcase(), "\ud800"):
        assert passes.exchange(wrong) is None
    assert passes.exchange(link) is not None


def test_a_new_link_takes_the_place_of_the_one_before(passes: Passes) -> None:
    old, new = passes.new_link(), passes.new_link()

    assert passes.exchange(old) is None
    assert passes.exchange(new) is not None


def test_a_cookie_ends(passes: Passes, clock: Clock) -> None:
    cookie = passes.exchange(passes.new_link())
    assert cookie is not None

    clock.now = COOKIE_SECONDS - 1
    assert passes.is_known(cookie)
    clock.now = COOKIE_SECONDS
    assert not passes.is_known(cookie)
    assert not passes.is_known("")


def test_browsers_are_bounded_and_the_first_has_to_ask_again(passes: Passes) -> None:
    cookies = [passes.exchange(passes.new_link()) or "" for _ in range(BROWSERS_MAX + 1)]

    assert [passes.is_known(cookie) for cookie in cookies] == [False] + [True] * BROWSERS_MAX


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8379", "localhost", "LOCALHOST:9000", "[::1]:8379", "10.0.0.7", "broker-1:8379", "Broker-1"]
)
def test_this_machine_is_known_by_its_names_and_addresses(host: str) -> None:
    assert Places("http", ["broker-1", ""]).knows_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "broker-1.evil.example", "127.0.0.1.evil.example", "[::1", "@"],
)
def test_a_name_that_was_made_to_point_here_is_not(host: str) -> None:
    assert not Places("http", ["broker-1", ""]).knows_host(host)


@pytest.mark.parametrize(
    ("origin", "is_known"),
    [
        ("http://localhost:8379", True),
        ("https://localhost:8379", False),
        ("http://localhost:8380", False),
        ("http://localhost", False),
        ("http://127.0.0.1:8379", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("https://tq.example.org", False),
    ],
)
def test_a_page_is_ours_if_it_came_from_where_it_asks(origin: str, is_known: bool) -> None:
    assert Places("http", []).knows_origin(origin, "localhost:8379") is is_known


def test_behind_a_proxy_the_page_comes_from_the_proxy() -> None:
    places = Places("http", [], "https://tq.example.org/")

    assert places.is_encrypted
    assert places.knows_host("tq.example.org")
    assert places.knows_origin("https://tq.example.org", "tq.example.org")
    assert places.knows_origin("https://tq.example.org", "127.0.0.1:8379"), "a proxy may write its own Host"
    assert not places.knows_origin("http://tq.example.org", "127.0.0.1:8379")
    assert not places.knows_origin("https://evil.example", "tq.example.org")


@pytest.mark.parametrize(
    "url",
    [
        "tq.example.org",
        "ftp://x",
        "https://",
        "https://x/tq",
        "https://x?y",
        "https://u@x",
        "http://x:99999",
        "http://[",
    ],
)
def test_what_is_no_address_of_a_site_is_said(url: str) -> None:
    with pytest.raises(InvalidArgument):
        Places("http", [], url)
