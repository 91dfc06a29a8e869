"""`tq bench rest` measures what it says: tasks that are there afterwards."""

from tq.bench import rest
from tq.bench.plan import Plan


async def test_it_submits_as_many_tasks_as_it_counts() -> None:
    figures = {figure.name: figure for figure in await rest.measure(Plan(scale=0.005))}

    singles = figures["REST: submit, one a request, 32 connections"]
    bulk = figures["REST: submit, 1,000 a request"]
    assert (singles.unit, singles.target, bulk.target) == ("tasks/s", 1_500, 10_000)
    assert all(figure.value > 0 for figure in figures.values())
