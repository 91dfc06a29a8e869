"""Names that can be shown, matched and stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.errors import InvalidArgument
from tq.model.names import NAME_BYTES_MAX, check_name, check_text


@pytest.mark.parametrize("name", ["mail", "a", "shop.mail:send-2", "größe", "邮件", "two words", "x" * NAME_BYTES_MAX])
def test_names_may_be_of_any_printable_characters(name: str) -> None:
    check_name("queue", name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("x" * (NAME_BYTES_MAX + 1), "longer than 200 bytes"),
        ("ü" * 101, "longer than 200 bytes"),
        ("a\nb", "control"),
        ("a\x00", "control"),
        ("\x1b[31mred", "control"),
        ("a\u200bb", "invisible"),
        ("\u202eevil", "invisible"),
        ("\ud800", "control or invisible"),
        (" mail", "space"),
        ("mail ", "space"),
    ],
)
def test_a_name_that_could_deceive_or_break_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as refusal:
        check_name("queue", name)

    assert refusal.value.message.startswith("queue")
    assert refusal.value.message.isprintable()


def test_a_text_may_begin_and_end_with_a_space() -> None:
    check_text("key", " k ", 10)


@given(st.text(max_size=60))
def test_what_is_accepted_is_printable_and_fits(name: str) -> None:
    try:
        check_name("queue", name)
    except InvalidArgument:
        return
    assert name.strip() == name != ""
    assert 0 < len(name.encode()) <= NAME_BYTES_MAX
    assert not any(ord(char) < 32 or ord(char) == 127 for char in name)
