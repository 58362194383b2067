"""The slots that every tick visits: those that have something to send, or digits to wait for."""

from media.engine.slots cimport Shard, Slot


cdef inline void add_busy(Shard *shard, Slot *slot) noexcept nogil:
    """It is taken out again when it has nothing to do."""
    if slot.busy_index < 0:
        slot.busy_index = shard.busy_count
        shard.busy[shard.busy_count] = slot
        shard.busy_count += 1


cdef inline void leave_busy(Shard *shard, Slot *slot) noexcept nogil:
    cdef Slot *last
    if slot.busy_index < 0:
        return
    shard.busy_count -= 1
    last = shard.busy[shard.busy_count]
    shard.busy[slot.busy_index] = last
    last.busy_index = slot.busy_index
    slot.busy_index = -1
