"""The file of a recording: what is written is read again, and what was torn off its end costs no more than that."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.fakes import GREETING, NOW_MS, finding, part, queue, totals
from tq.model.errors import InvalidArgument
from tq.tui.feed import Connected, Disconnected, Frame, Told
from tq.tui.recording import KEY_MS, Recorder, Recording

SCOPES = ("totals", "queues", "attention")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def recorded(path: Path, *told: Told, step: float = 1.0, bytes_max: int = 1 << 20) -> Recorder:
    """Write these, a second apart."""
    clock = Clock()
    recorder = Recorder(path, clock, bytes_max=bytes_max)
    recorder.turn_to(SCOPES)
    for one in told:
        recorder.write(one)
        clock.now += step
    return recorder


FIRST = Frame([part("totals", [totals()]), part("queues", [queue("mail", ready=5), queue("orders")])], NOW_MS)
SECOND = Frame([part("queues", [queue("mail", ready=6)], is_whole=False, gone=["orders"])], NOW_MS + 1_000)


def read(path: Path) -> list[Told]:
    recording = Recording(path)
    told = [recording.told(index) for index in range(len(recording.entries))]
    recording.close()
    return told


def test_what_was_told_is_read_again_with_its_moment(tmp_path: Path) -> None:
    story: list[Told] = [Connected(GREETING), FIRST, SECOND, Disconnected("gone \x1b[2J"), Connected(GREETING)]
    recorded(tmp_path / "r", *story).close()

    recording = Recording(tmp_path / "r")

    assert read(tmp_path / "r") == story
    assert [entry.at_ms for entry in recording.entries] == [0, 1_000, 2_000, 3_000, 4_000]
    assert (recording.length_ms, recording.torn_bytes) == (4_000, 0)
    recording.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    recorded(tmp_path / "r", FIRST).close()

    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600


def test_a_file_that_exists_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"something else")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    for name in ("r", "link"):
        with pytest.raises(InvalidArgument, match="exists already"):
            Recorder(tmp_path / name, Clock())
    assert (tmp_path / "r").read_bytes() == b"something else"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="No such file or directory"):
        Recorder(tmp_path / "none" / "r", Clock())


def test_a_torn_end_costs_only_the_entry_that_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "r"
    recorded(path, Connected(GREETING), FIRST).close()
    whole = path.stat().st_size
    recorded(tmp_path / "longer", Connected(GREETING), FIRST, SECOND).close()
    longer = (tmp_path / "longer").read_bytes()

    for size in range(whole, len(longer)):
        path.write_bytes(longer[:size])
        recording = Recording(path)
        assert (len(recording.entries), recording.torn_bytes) == (2, size - whole)
        recording.close()


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_is_read_as_something_else(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"flipped-{place}-{bit}"
    recorded(path, Connected(GREETING), FIRST, SECOND).close()
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)

    try:
        told = read(path)
    except InvalidArgument:
        told = []
    finally:
        path.unlink()
    assert told == [Connected(GREETING), FIRST, SECOND][: len(told)]
    assert len(told) < 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a recording"),
        (b"\x89PNG\r\n\x1a\n" * 100, "is not a recording"),
        (b"tq top recording 2\nwhatever", "of version '2', and this tq reads version 1"),
        (b"tq top recording 1\n", "has no frame in it"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r").write_bytes(content)

    with pytest.raises(InvalidArgument, match=said):
        Recording(tmp_path / "r")


def test_a_recording_has_a_bound_and_ends_there_whole(tmp_path: Path) -> None:
    recorder = recorded(tmp_path / "r", Connected(GREETING), *[FIRST, SECOND] * 500, bytes_max=20_000)

    assert "which is the most" in recorder.stopped
    assert (tmp_path / "r").stat().st_size == recorder.size <= 20_000
    assert len(read(tmp_path / "r")) > 10


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(tmp_path / "r", Connected(GREETING), FIRST)

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        recorder.write(SECOND)
    recorder.write(SECOND)

    assert recorder.stopped == "No space left on device"
    assert read(tmp_path / "r") == [Connected(GREETING), FIRST]


def test_a_write_that_was_cut_short_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(tmp_path / "r", Connected(GREETING), FIRST)
    write = os.write

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:-1]))
        recorder.write(SECOND)

    assert recorder.stopped == "the disk is full"
    assert read(tmp_path / "r") == [Connected(GREETING), FIRST]


def test_each_minute_and_after_each_turn_an_entry_has_all_rows(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path / "r", clock)
    recorder.turn_to(("totals", "queues"))
    recorder.write(FIRST)
    recorder.write(SECOND)
    clock.now += KEY_MS / 1_000
    recorder.write(SECOND)
    recorder.turn_to(("queues", "attention"))
    recorder.write(Frame([part("attention", [finding("orders", "late")])], NOW_MS))
    recorder.close()

    recording = Recording(tmp_path / "r")
    assert [entry.is_key for entry in recording.entries] == [True, False, True, True]
    assert _shape(recording.told(2)) == {"totals": (True, 1), "queues": (True, 1)}
    assert _shape(recording.told(3)) == {"queues": (True, 1), "attention": (True, 1)}
    recording.close()


def _shape(told: Told) -> dict[str, tuple[bool, int]]:
    assert isinstance(told, Frame)
    return {change.scope: (change.is_whole, len(change.rows)) for change in told.changes}


def unreadable(path: Path) -> Recording:
    """A recording with an entry that is whole, and means nothing to this tq."""
    recorder = recorded(path)
    recorder._write(0, 4, b"\xc1")
    recorder.close()
    return Recording(path)


def test_an_entry_that_this_tq_cannot_read_is_said_with_its_place(tmp_path: Path) -> None:
    recording = unreadable(tmp_path / "r")

    with pytest.raises(InvalidArgument, match="is damaged at byte"):
        recording.told(0)
    recording.close()
