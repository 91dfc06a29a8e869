"""`tq bench watch` measures what it says: frames of what changed."""

from tq.bench.plan import Plan
from tq.bench.watching import CHANGING, _Stream, watch


async def test_the_measure_gives_its_figures() -> None:
    figures = await watch(Plan(scale=0.01))

    assert [figure.unit for figure in figures] == ["ms", "ms", "KiB", "ms", "KiB"]
    assert all(figure.value > 0 for figure in figures if figure.unit == "KiB")


def test_a_frame_holds_the_queues_that_changed_and_no_others() -> None:
    stream = _Stream(2)
    stream.beat([])  # after the whole one, in which there is nothing new
    _, nothing = stream.beat([])
    _, some = stream.beat(range(CHANGING))

    assert nothing < 200
    assert 20 * CHANGING < some < 100 * CHANGING
