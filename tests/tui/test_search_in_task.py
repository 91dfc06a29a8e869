"""Text that is searched for on the page of a task."""

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from tests.tui.dumps import lines, settled, text
from tests.tui.scenes import SCENES, Stage, stage
from tq.tui.searching import HITS_MAX, Hit, hits_in, marked, row_of
from tq.tui.widgets.footer import Footer


def hint(on: Stage, key: str) -> tuple[str, str]:
    """The label of a key in the footer, and why it leads nowhere."""
    return next((one.label, one.why_not) for one in on.app.screen.query_one(Footer)._hints if one.key == key)


async def search(on: Stage, *keys: str) -> None:
    await on.pilot.press("slash", *keys, "enter")
    await settled(on.pilot)


def test_hits_come_from_top_to_bottom_and_case_counts_where_it_is_typed() -> None:
    sections = {"facts": Text("An error"), "log": Text("Error, error")}

    assert hits_in(sections, "error") == [Hit("facts", 3, 8), Hit("log", 0, 5), Hit("log", 7, 12)]
    assert hits_in(sections, "Error") == [Hit("log", 0, 5)]
    assert hits_in(sections, "e.r") == []
    assert len(hits_in({"log": Text("x" * (HITS_MAX + 1))}, "x")) == HITS_MAX


def test_the_hit_that_one_is_at_stands_between_signs_and_the_others_are_underlined() -> None:
    whole = Text("one two one")
    hits = hits_in({"log": whole}, "one")

    shown = marked("log", whole, hits, 1)

    assert shown.plain == "one two >one<"
    assert "underline" in {str(span.style) for span in shown.spans if span.start == 0}
    assert marked("facts", whole, hits, 1).plain == whole.plain


def test_the_line_of_a_word_that_did_not_fit_is_the_next_one() -> None:
    assert row_of(Text("aaaa bbbbbb"), 5, 8) == 1
    assert row_of(Text("aaaa bbbbbb"), 0, 8) == 0
    assert row_of(Text("one\ntwo"), 4, 80) == 1


@given(st.text("ab \n", min_size=1, max_size=60), st.integers(0, 59), st.integers(4, 20))
def test_a_line_is_one_of_those_that_the_text_has(whole: str, at: int, width: int) -> None:
    start = min(at, len(whole) - 1)
    lines_max = sum(1 + len(line) for line in whole.split("\n"))

    assert whole[:start].count("\n") <= row_of(Text(whole), start, width) <= lines_max


async def test_n_goes_from_hit_to_hit_around_the_page_with_each_of_them_in_sight() -> None:
    async with stage(size=(80, 24)) as on:
        await on.play(SCENES["task"])
        await search(on, *"gateway")
        number = int(hint(on, "n")[0].split()[-1])
        assert number > 1

        seen = []
        for _ in range(number):
            seen.append(hint(on, "n")[0])
            assert ">gateway<" in text(on.app)
            await on.pilot.press("n")
            await settled(on.pilot)
        assert seen == [f"hit {place} of {number}" for place in range(1, number + 1)]
        assert hint(on, "n")[0] == f"hit 1 of {number}"

        await on.pilot.press("N")
        await settled(on.pilot)
        assert hint(on, "n")[0] == f"hit {number} of {number}"
        assert any("asking the >gateway<" in line for line in lines(on.app))


async def test_where_there_is_no_hit_it_is_said_and_an_empty_search_is_none() -> None:
    async with stage() as on:
        await on.play(SCENES["task"])
        assert hint(on, "n") == ("next hit", "")
        await search(on, *"nowhere")
        assert [one.message for one in on.app._notifications] == ["no hit for nowhere"]
        assert hint(on, "n") == ("next hit", "no hit")

        await search(on, "ctrl+u")
        assert hint(on, "n") == ("next hit", "")


async def test_what_is_searched_for_is_found_in_bytes_too_as_soon_as_they_are_shown() -> None:
    async with stage() as on:
        await on.play(SCENES["task"])
        await search(on, *"7b", "space", *"22")
        assert hint(on, "n")[1] == "no hit"

        await on.pilot.press("x")
        await settled(on.pilot)
        assert hint(on, "n")[0].startswith("hit 1 of")
