"""`:doctor`: facts for when something looks wrong; and the round trip in the header."""

from tests.tui.dumps import settled, text
from tests.tui.fakes import GREETING, NOW_MS
from tests.tui.test_app import running
from tq.client.async_client import AsyncClient
from tq.model.replies import StatsReply
from tq.tui.link import SECONDS, Link
from tq.tui.screens.doctor import Traffic, broker_lines, round_trip_line, skew_line, traffic_line
from tq.tui.widgets.header import LIVE, Status, status_pieces


def test_traffic_is_that_of_the_time_between_two_frames() -> None:
    assert traffic_line([]) == "measuring ..."
    assert traffic_line([Traffic(1.0, 5, 100)]) == "measuring ..."
    assert traffic_line([Traffic(1.0, 5, 100), Traffic(3.0, 9, 4_100), Traffic(5.0, 13, 12_100)]) == (
        "2.0 frames/s, 3.0 KB/s, over 4 s"
    )


def test_a_round_trip_is_the_median_of_some_and_says_how_they_differ() -> None:
    assert round_trip_line([], "") == "measuring ..."
    assert round_trip_line([9.0, 1.0, 2.0], "") == "2.0 ms (3 requests: 1.0 to 9.0 ms)"
    assert round_trip_line([1.0], "no broker\x1b[2J") == "no broker\N{REPLACEMENT CHARACTER}[2J"


def test_clocks_that_differ_are_said_and_that_it_does_no_harm() -> None:
    assert skew_line(0, NOW_MS) == "not known yet"
    assert skew_line(NOW_MS + 500, NOW_MS) == "agrees with this machine's"
    assert skew_line(NOW_MS + 90_000, NOW_MS) == "1m30s ahead of this machine's; ages here are by the broker's"
    assert skew_line(NOW_MS - 90_000, NOW_MS).startswith("1m30s behind this machine's")


def test_before_the_first_connection_there_is_nothing_to_say_of_the_broker() -> None:
    assert broker_lines(None, None, 0) == [("address", "connecting ...")]
    assert ("boot id", "boot-1") in broker_lines(GREETING, None, NOW_MS)


async def test_the_page_is_there_without_a_client_too() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("colon", *"doctor", "enter")
        await settled(pilot)
        shown = text(app)

    assert "boot-1" in shown
    assert "120 x 40" in shown
    assert "tq-dark" in shown


async def test_all_of_it_can_be_copied() -> None:
    async with running() as (app, _, pilot, _):
        await pilot.press("colon", *"doctor", "enter")
        await settled(pilot)
        await pilot.press("y")
        await settled(pilot)

        assert "  boot id: boot-1" in app.clipboard.splitlines()


class _Client(AsyncClient):
    """Answers after so many seconds of the test's clock, or not at all."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        super().__init__("127.0.0.1:1", connect_timeout=0.2, reconnect_timeout=0.0)
        self._test_clock = clock
        self._seconds = seconds

    async def connect(self) -> None:  # type: ignore[override]
        self._test_clock[0] += 5.0  # connecting is no round trip

    async def stats(self) -> StatsReply:
        self._test_clock[0] += self._seconds
        return StatsReply(1, None)  # type: ignore[arg-type]


async def test_a_round_trip_does_not_count_the_connecting_and_is_taken_now_and_then() -> None:
    clock = [100.0]
    link = Link(lambda: clock[0])
    assert link.is_due(clock[0])

    await link.measure(_Client(clock, 0.031))

    assert round(link.ms, 6) == 31.0
    assert not link.is_due(100.0 + SECONDS - 0.1)
    assert link.is_due(100.0 + SECONDS)


async def test_a_broker_that_does_not_answer_has_no_round_trip_and_the_reason() -> None:
    link = Link(lambda: 100.0)

    await link.measure(AsyncClient("127.0.0.1:1", connect_timeout=0.2, reconnect_timeout=0.0))

    assert link.ms == 0
    assert "no broker answers" in link.trouble


def test_the_header_has_the_round_trip_once_it_is_known() -> None:
    def words(ms: float) -> list[str]:
        return [piece.text for piece in status_pieces(Status("db1", freshness=LIVE, link_ms=ms))]

    assert "link 31 ms" in words(31.4)
    assert "link 0.3 ms" in words(0.31)
    assert not [word for word in words(0.0) if "link" in word]
