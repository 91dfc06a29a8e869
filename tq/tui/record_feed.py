"""A feed that is written down while it is shown."""

from collections.abc import AsyncIterator, Sequence

from tq.model.watching import SCOPES_MAX
from tq.tui.feed import Facts, Feed, Frame, Noted, Told
from tq.tui.recording import Recorder

RECORDED = ("totals", "attention", "queues", "workers", "groups", "ops", "events")
"""Scopes that are written whatever is looked at, so that whoever replays can look at something else."""
RECORD_HZ = 1.0
"""The least rate, also while what is shown is paused or the terminal is not looked at."""


class RecordingFeed:
    """Another feed, written to a file as it goes. A recording that cannot go on is said once; the feed goes on.

    Args:
        feed: where frames come from; closed with this one.
        recorder: where they go; closed too.
    """

    def __init__(self, feed: Feed, recorder: Recorder) -> None:
        self._feed = feed
        self._recorder = recorder
        self._is_paused = False
        self._has_missed = False

    def watch(self, scopes: Sequence[str], hz: float) -> None:
        """See Feed. While it is paused, frames are written and not told."""
        both = tuple(dict.fromkeys((*scopes, *RECORDED)))[:SCOPES_MAX]
        self._is_paused = hz == 0
        self._recorder.turn_to(both)
        self._feed.watch(both, max(hz, RECORD_HZ))

    async def told(self) -> AsyncIterator[Told]:
        """See Feed."""
        has_said = False
        async for told in self._feed.told():
            self._recorder.write(told)
            if self._recorder.stopped and not has_said:
                has_said = True
                yield Noted(f"the recording {self._recorder.path} has ended: {self._recorder.stopped}")
            if not isinstance(told, Frame):
                yield told
            elif self._is_paused:
                self._has_missed = True
            elif self._has_missed:
                self._has_missed = False
                image = self._recorder.image
                yield Frame([image.whole(scope) for scope in image.scopes], told.at_ms)
            else:
                yield told

    def facts(self) -> Facts:
        """See Feed."""
        size = self._recorder.size / (1 << 20)
        remark = "REC ended" if self._recorder.stopped else f"REC {size:.1f} MiB"
        return self._feed.facts()._replace(kept=RECORDED, remark=remark)

    async def close(self) -> None:
        """See Feed."""
        await self._feed.close()
        self._recorder.close()
