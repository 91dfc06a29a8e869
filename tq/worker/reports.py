"""How a worker process is: what it tells the broker with every heartbeat, and its parent when somebody counts."""

import psutil

from tq.model.commands import Heartbeat
from tq.worker.counts import Counted, Meter
from tq.worker.desk import Desk
from tq.worker.pulse import Pulse
from tq.worker.session import Session


def heartbeat_of(desk: Desk, pulse: Pulse, process: psutil.Process, *, is_draining: bool) -> Heartbeat:
    """The heartbeat of this moment; the processor time and the longest blocking are since the one before."""
    unstarted = desk.unstarted
    return Heartbeat(
        request_id=0,
        running=max(0, desk.in_hand - unstarted),
        prefetched=unstarted,
        rss_bytes=process.memory_info().rss,
        is_draining=is_draining,
        note=pulse.note,
        cpu_percent=round(process.cpu_percent()),
        loop_blocked_ms=pulse.take_longest_ms(),
        stuck=desk.stuck,
    )


def counted_of(meter: Meter, desk: Desk, session: Session, process: psutil.Process) -> Counted:
    """The numbers of this moment, with types that changed."""
    times, unstarted = process.cpu_times(), desk.unstarted
    return Counted(
        types=meter.take_changed(),
        is_connected=session.connection is not None,
        connects=session.connects,
        running=max(0, desk.in_hand - unstarted),
        waiting=unstarted,
        unconfirmed=len(desk.outbox),
        stuck=desk.stuck,
        cpu_ms=round((times.user + times.system) * 1_000),
        rss_bytes=process.memory_info().rss,
    )
