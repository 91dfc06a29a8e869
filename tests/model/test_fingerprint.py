"""Two errors are the same when only what differs from task to task differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.fingerprint import (
    GROUP_BYTES,
    MESSAGE_CHARS_MAX,
    OTHER_GROUP,
    PLACE_CHARS_MAX,
    TYPE_CHARS_MAX,
    fingerprint,
    masked_message,
    own_frame,
)

APP = '  File "/srv/shop/http.py", line 212, in post\n    raise ConnectTimeout(url)\n'
OTHER_APP = '  File "/srv/shop/gateway.py", line 88, in charge\n    post(url)\n'
PACKAGE = '  File "/srv/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1014, in send\n    raise\n'
STDLIB = '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\n    raise\n'


def trace(*frames: str) -> str:
    return "Traceback (most recent call last):\n" + "".join(frames) + "ConnectTimeout: no\n"


MASKED = {
    "upstream took > 12.5s": "upstream took > *s",
    "balance -5 below 0": "balance * below *",
    "connect to 10.0.0.7:8080 failed": "connect to * failed",
    "user 018f3a2b-1111-7222-8333-123456789abc not found": "user * not found",
    "<Order object at 0x7f3b2c1d>": "<Order object at *>",
    "commit abc123 of facade": "commit * of facade",
    "card cus_9s6XKzkNRiz8i3 declined": "card * declined",
    "'user_id'": "'*'",
    'no column "total" in `orders`': 'no column "*" in `*`',
    "can't read it: don't": "can't read it: don't",
    "cannot open /srv/data/2024/x.csv: denied": "cannot open *: denied",
    r"cannot open C:\data\x.csv, denied": "cannot open *, denied",
    "cannot open data/2024/x.csv": "cannot open *",
    "invalid syntax (bom.py, line 2)": "invalid syntax (*, line *)",
    "application/json and/or text": "application/json and/or text",
    "https://api.example.org/v1?id=7 answered 503": "* answered *",
    "mail to anna.b@example.org bounced": "mail to * bounced",
    "missing: 'a', 'b', 'c'": "missing: '*'",
    "got [1, 2, 3]": "got [*]",
    "1 error\n  field\n    too long\n": "* error field too long",
    "": "",
}


@pytest.mark.parametrize("message", MASKED)
def test_what_differs_from_task_to_task_is_masked(message: str) -> None:
    assert masked_message(message) == MASKED[message]


@given(st.integers(-(1 << 70), 1 << 70), st.floats(0, 1e9), st.uuids(), st.text("abcdef é\n", max_size=20))
def test_errors_that_differ_in_numbers_ids_and_quoted_text_are_the_same(
    number: int, seconds: float, uuid: object, name: str
) -> None:
    message = f"order {number} of {uuid}: {seconds:.3f} s for '{name}' in \"{name}\""

    assert fingerprint("Timeout", message, trace(APP)) == fingerprint(
        "Timeout", "order 1 of 018f3a2b-1111-7222-8333-123456789abc: 0.500 s for 'b' in \"b\"", trace(APP)
    )


def test_the_line_number_is_shown_and_does_not_count() -> None:
    """Any deploy moves lines; the failure stays the same."""
    before, after = (fingerprint("E", "no", trace(APP.replace("212", line))) for line in ("212", "219"))

    assert before.group == after.group
    assert (before.place, after.place) == ("http.py:212 post()", "http.py:219 post()")


def test_the_directory_of_the_file_does_not_count() -> None:
    assert (
        fingerprint("E", "no", trace(APP)).group
        == fingerprint("E", "no", trace(APP.replace("/srv/shop", "C:\\releases\\20261124"))).group
    )


@pytest.mark.parametrize(
    ("error_type", "message", "traceback"),
    [
        ("OSError", "no", trace(APP)),
        ("E", "yes", trace(APP)),
        ("E", "no", trace(OTHER_APP)),
        ("E", "no", trace(APP.replace("post", "put"))),
        ("E", "no", ""),
        ("En", "o", trace(APP)),
    ],
)
def test_another_type_message_file_or_function_is_another_error(error_type: str, message: str, traceback: str) -> None:
    assert fingerprint(error_type, message, traceback).group != fingerprint("E", "no", trace(APP)).group


def test_the_place_is_the_innermost_frame_of_the_application() -> None:
    frame = own_frame(trace(OTHER_APP, APP, PACKAGE, STDLIB))

    assert frame is not None
    assert frame.place == "http.py:212 post()"


@pytest.mark.parametrize(
    "path",
    [
        "<frozen importlib._bootstrap>",
        "<string>",
        "/usr/lib/python3.11/asyncio/tasks.py",
        "/root/.pyenv/versions/3.13.1/lib/python3.13t/json/decoder.py",
        "/usr/lib/python3/dist-packages/requests/api.py",
        r"C:\Python311\Lib\json\decoder.py",
        r"C:\venv\Lib\site-packages\httpx\_client.py",
        "/work/tq/tq/app/context.py",
    ],
)
def test_library_code_is_not_the_applications(path: str) -> None:
    frame = own_frame(trace(APP, f'  File "{path}", line 3, in f\n'))

    assert frame is not None
    assert frame.file == "http.py"


def test_a_project_that_is_called_tq_is_the_applications() -> None:
    frame = own_frame(trace('  File "/home/anna/tq/jobs/mail.py", line 3, in send\n', STDLIB))

    assert frame is not None
    assert frame.place == "mail.py:3 send()"


def test_without_code_of_the_application_the_innermost_frame_is_the_place() -> None:
    frame = own_frame(trace(PACKAGE, STDLIB))

    assert frame is not None
    assert frame.place == "decoder.py:355 raw_decode()"


def test_of_a_chain_of_exceptions_the_last_one_counts() -> None:
    chain = trace(APP) + "\nDuring handling of the above exception, another exception occurred:\n\n" + trace(OTHER_APP)

    frame = own_frame(chain)

    assert frame is not None
    assert frame.place == "gateway.py:88 charge()"


def test_frames_of_exception_groups_are_frames() -> None:
    frame = own_frame('  | Traceback (most recent call last):\n  |   File "/srv/a.py", line 3, in <module>\n')

    assert frame is not None
    assert frame.place == "a.py:3 <module>"


def test_a_package_file_is_shown_with_its_directory() -> None:
    frame = own_frame(trace('  File "/srv/shop/__init__.py", line 3, in f\n'))

    assert frame is not None
    assert frame.place == "shop/__init__.py:3 f()"


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text("'\"`/\\.,:@-+*~a0x \n", max_size=300),
    st.text(st.characters(categories=["Cs", "Nd", "Cc"]), max_size=50),
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_any_words_have_a_bounded_fingerprint_that_is_always_the_same(
    error_type: str, message: str, traceback: str
) -> None:
    found = fingerprint(error_type * 50, message * 50, traceback + f'\n  File "{"a" * 500}", line 1, in {"f" * 500}')

    assert len(found.group) == GROUP_BYTES
    assert found.group != OTHER_GROUP
    assert len(found.error_type) <= TYPE_CHARS_MAX
    assert len(found.message) <= MESSAGE_CHARS_MAX
    assert len(found.place) <= PLACE_CHARS_MAX
    assert found == fingerprint(
        error_type * 50, message * 50, traceback + f'\n  File "{"a" * 500}", line 1, in {"f" * 500}'
    )
