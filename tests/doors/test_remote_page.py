"""docs/remote.md says what the code does."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "remote.md").read_text()


def test_every_option_of_a_key_that_the_door_keeps_is_on_the_page() -> None:
    for option in ("tq-role", "tq-name", "from=", "restrict", "pty", "command", "expiry-time", "cert-authority"):
        assert option in PAGE


def test_every_link_to_a_section_has_one() -> None:
    titles = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= set(titles)
