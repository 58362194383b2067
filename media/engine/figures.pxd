"""What was measured at a slot, for Python."""

from libc.stdint cimport uint32_t

from media.engine.measures cimport CHUNK, CHUNKS, Interval, Measures
from media.engine.measuring cimport BurstFigures, Rating, buffer_so_far, burst_figures, jitter_ms, rate_all
from media.engine.posix cimport clock_ns
from media.engine.reasons cimport REASONS
from media.engine.slots cimport Slot
from media.rtp.reception cimport reception_total_lost


cdef inline bytes intervals_of(const Measures *m, uint32_t wanted):
    """The last records, oldest first."""
    cdef uint32_t last = m.count, most = CHUNK * CHUNKS
    cdef uint32_t at = last - min(last, most, wanted)
    cdef list found = []
    while at < last:
        found.append((<const char *>(m.chunks[at % most // CHUNK] + at % CHUNK))[:sizeof(Interval)])
        at += 1
    return b"".join(found)


cdef inline dict measured_of(const Slot *slot, uint32_t intervals):
    """The figures of a `StreamReport` by name."""
    cdef const Measures *m = &slot.measures
    cdef Rating rating
    cdef BurstFigures figures
    cdef double buffer_ms
    rate_all(slot, &rating)
    burst_figures(slot, &figures)
    found = {
        "received": slot.received,
        "sent": slot.out.packets,
        "lost": reception_total_lost(&slot.reception),
        "jitter_ms": m.jitter_ms / m.intervals if m.intervals else jitter_ms(slot),
        "round_trip_ms": slot.trip * 1000 / 65536.0 if slot.trip >= 0 else None,
        "remote_lost": slot.remote_lost if slot.has_remote_lost else None,
        "mos": rating.mos if rating.mos > 0 else None,
        "worst_mos": m.worst_mos if m.intervals else None,
        "burst_ms": figures.burst_ms,
        "burst_loss_percent": figures.burst_percent,
        "gap_loss_percent": figures.gap_percent,
        "silent_s": (clock_ns() - slot.heard_ns) / 1e9 if slot.received else None,
        "intervals": intervals_of(m, intervals),
        "dropped": {i: slot.dropped[i] for i in range(1, <int>REASONS) if slot.dropped[i]},
        "not_carried": {i: slot.not_carried[i] for i in range(128) if slot.not_carried[i]},
    }
    buffer_ms = buffer_so_far(m)
    if buffer_ms >= 0:
        found["late"] = m.late
        found["buffer_ms"] = buffer_ms
        found["buffer_most_ms"] = m.buffer_most_ms
    if m.remotes:
        found["remote_jitter_ms"] = m.remote_jitter_ms / m.remotes
        found["remote_loss_percent"] = m.remote_loss / m.remotes
        found["remote_mos"] = m.remote_mos / m.remotes
    return found
