"""`tq bench grpc` measures what it says, on a broker with its edge, and counts that every task ran."""

from pathlib import Path

from tq.bench.plan import Plan
from tq.bench.rpc import measure


async def test_the_measure_gives_its_figures(tmp_path: Path) -> None:
    figures = await measure(Plan(scale=0.005, parent=tmp_path))

    assert [figure.target for figure in figures] == [3_000, 0, 10_000]
    assert all(figure.value > 0 for figure in figures)
