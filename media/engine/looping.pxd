"""The engine thread: sockets, commands and ticks, in turns short enough for none to wait for long."""

from libc.math cimport log2
from libc.stdint cimport int64_t, uint64_t

from media.engine.arriving cimport fetch
from media.engine.busy cimport leave_busy
from media.engine.commanding cimport apply_command, free_command
from media.engine.hearing cimport hears_digit, tick_ear
from media.engine.measuring cimport visit_measures
from media.engine.mixed cimport tick_rooms
from media.engine.outbox cimport drop, notify, post_freed
from media.engine.passing cimport pass_asked, pass_datagram, pass_rtp
from media.engine.posix cimport (
    CLOCK_MONOTONIC, Address, clock_nanosleep, clock_ns, epoll_event, epoll_wait, pthread_mutex_lock,
    pthread_mutex_unlock, read, timespec,
)
from media.engine.pressed cimport tick_pressed_digit
from media.engine.pressing cimport tick_digits
from media.engine.reasons cimport OVERSIZED
from media.engine.relay cimport receive_rtp
from media.engine.reporting cimport receive_rtcp, visit_report
from media.engine.quiet cimport visit_idle, visit_silence
from media.engine.sealing cimport is_handshake, open_packet, tell_handshake
from media.engine.slots cimport (
    BUFFER_SIZE, DATAGRAMS, LATE_BUCKETS, MAX_CATCH_UP, REMOVE, RTP_AS_IT_IS, TICK_NS, TICKS_A_SECOND, TICKS_TO_VISIT,
    Command, Shard, Slot,
)
from media.engine.speaking cimport tick_player
from media.rtp.control cimport Received

cdef enum:
    TIMER = 2             # epoll data that is no slot
    BATCH = 64            # packets between two looks at commands and the clock: half a millisecond
    REMOVALS_A_TURN = 32  # closing sockets takes time that packets would have to wait
    PACE_NS = 150000      # the least between two turns while packets come fast that somebody waits for
    URGENT_NS = 1000000000      # after the last of these nobody waits but the tick
    EASY_PACKETS = 50           # are taken at once then: of more, those that came first have left the processor's caches
    MOST_DRAIN_NS = 1000000     # how late a tick may be for what waits to be taken first


cdef inline void receive_control(
    Shard *shard, Slot *slot, const Address *source, int size, int64_t now_ns
) noexcept nogil:
    cdef Received r
    if receive_rtcp(shard, slot, source, size, &r, now_ns) and slot.passes and (r.asked.picture or r.asked.count):
        pass_asked(shard, slot, &r.asked, now_ns)


cdef inline void receive(Shard *shard, Slot *slot, bint control) noexcept nogil:
    """One datagram of one socket."""
    cdef Address source
    cdef int64_t now_ns
    cdef ssize_t size = fetch(shard, slot, slot.rtcp_fd if control else slot.rtp_fd, &source, &now_ns)
    if size < 0:
        return   # nothing there after all, or an ICMP error of an earlier packet
    shard.packets_in += 1
    shard.hurries |= slot.turn + 1 == shard.turn   # a queue, where a phone would send once in so many turns
    slot.turn = shard.turn
    if size > BUFFER_SIZE:
        drop(shard, slot, OVERSIZED)
        return
    if slot.passes == DATAGRAMS:
        if not control:
            pass_datagram(shard, slot, &source, <int>size, now_ns)
        return
    if slot.demux and not control and is_handshake(shard.buffer, <int>size):
        tell_handshake(shard, slot, &source, <int>size)
        shard.urgent_ns = now_ns
        return
    control = control or (slot.config.mux and size >= 2 and 192 <= shard.buffer[1] <= 223)   # RFC 5761 §4
    if slot.config.secured:
        size = open_packet(shard, slot, <int>size, control, now_ns)
        if size < 0:
            return
    if control:
        receive_control(shard, slot, &source, <int>size, now_ns)
    elif slot.passes == RTP_AS_IT_IS:
        pass_rtp(shard, slot, &source, <int>size, now_ns)
    else:
        receive_rtp(shard, slot, &source, <int>size, now_ns)


cdef inline void take_commands(Shard *shard) noexcept nogil:
    pthread_mutex_lock(&shard.lock)
    shard.taken = shard.commands
    shard.commands = NULL
    shard.commands_end = &shard.commands
    shard.command_count = 0
    pthread_mutex_unlock(&shard.lock)


cdef inline void run_commands(Shard *shard) noexcept nogil:
    """The waiting commands; after too many removals the rest is left to the next turn, which comes at once."""
    cdef int64_t now_ns = clock_ns()
    cdef Command *command
    cdef int removals = 0
    if shard.taken == NULL:
        take_commands(shard)
    while shard.taken != NULL and removals < REMOVALS_A_TURN:
        command = shard.taken
        shard.taken = command.next
        removals += command.kind == REMOVE
        apply_command(shard, command, now_ns)
        free_command(command)


cdef inline void tick_busy(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    tick_pressed_digit(shard, slot, now_ns)
    if slot.sender.count:
        tick_digits(shard, slot, now_ns)
    if slot.player != NULL:
        tick_player(shard, slot, now_ns)
    tick_ear(shard, slot)
    if not slot.digits.open and slot.sender.count == 0 and slot.player == NULL and not hears_digit(slot):
        leave_busy(shard, slot)


cdef inline void visit(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    slot.handshakes = slot.asked = 0
    if not slot.configured:
        return
    visit_silence(shard, slot, now_ns)
    if slot.passes != DATAGRAMS:
        visit_report(shard, slot, now_ns)
        visit_measures(slot, now_ns)
        visit_idle(shard, slot, now_ns)


cdef inline void tick(Shard *shard, int64_t now_ns) noexcept nogil:
    """20 ms of work: what is generated, and a tenth of the slots for reports and silence."""
    cdef int i
    for i in range(shard.busy_count - 1, -1, -1):   # backwards: one that leaves is replaced by one already visited
        tick_busy(shard, shard.busy[i], now_ns)
    tick_rooms(shard, now_ns)
    i = <int>(shard.ticks % TICKS_TO_VISIT)
    while i < shard.count:
        visit(shard, shard.slots[i], now_ns)
        i += TICKS_TO_VISIT
    shard.ticks += 1


cdef inline void count_late(Shard *shard, int64_t late_ns) noexcept nogil:
    """Four buckets an octave of microseconds; `media/engine/clock.py` reads them."""
    cdef int bucket = 0
    if late_ns > 1000:
        bucket = <int>(4 * log2(late_ns / 1000.0)) + 1
    shard.late[min(bucket, LATE_BUCKETS - 1)] += 1


cdef inline void skip_ticks(Shard *shard, uint64_t skipped) noexcept nogil:
    """After a long stall: time went on, so timestamps do too."""
    cdef Slot *slot
    cdef int i
    shard.ticks += skipped
    for i in range(shard.count):
        slot = shard.slots[i]
        if slot.speaker != NULL:
            slot.generated_timestamp += <unsigned int>(slot.speaker.coder.clock_rate // TICKS_A_SECOND * skipped)


cdef inline void run_ticks(Shard *shard) noexcept nogil:
    """Every tick that is due, each measured against its place in the schedule."""
    cdef uint64_t due = 0, i
    cdef int64_t now_ns
    if read(shard.timer, &due, sizeof(due)) != sizeof(due):
        return
    now_ns = clock_ns()
    for i in range(due):
        count_late(shard, now_ns - shard.deadline_ns)
        shard.deadline_ns += TICK_NS
    if due > MAX_CATCH_UP:
        skip_ticks(shard, due - MAX_CATCH_UP)
        due = MAX_CATCH_UP
    shard.tick_ns = shard.deadline_ns - due * TICK_NS
    for i in range(due):
        tick(shard, now_ns)
        shard.tick_ns += TICK_NS
    shard.tick_packets = shard.packets_in - shard.packets_before
    shard.packets_before = shard.packets_in


cdef inline int64_t easy_pace(const Shard *shard) noexcept nogil:
    """How long to wait for packets that nobody but the tick waits for, by their number in the last one."""
    return TICK_NS * <int64_t>EASY_PACKETS // max(<int64_t>EASY_PACKETS, <int64_t>shard.tick_packets)


cdef inline void pause(Shard *shard, int64_t until_ns) noexcept nogil:
    """Until then, not longer than to the next tick. To be woken for a packet costs as much as the packet itself: several
    at once share it."""
    cdef timespec left
    left.tv_sec = 0
    left.tv_nsec = min(until_ns, shard.deadline_ns) - clock_ns()
    if left.tv_nsec > 0:
        clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL)


cdef inline bint take_batch(Shard *shard, const epoll_event *events, int count) noexcept nogil:
    """A datagram of each socket that has some; whether the timer was among them."""
    cdef bint timer = False
    cdef uint64_t data
    cdef int i
    for i in range(count):
        data = events[i].data.u64
        if data == TIMER:
            timer = True
        else:
            receive(shard, <Slot *>(data & ~<uint64_t>1), data & 1)
    return timer


cdef inline void run(Shard *shard) noexcept nogil:
    """In turns: commands, a batch of packets, the tick if it is due, a pause.

    While somebody waits for packets, a pause is short. When nobody does but the tick, it lasts until that is due, and
    everything that has come meanwhile is taken first.
    """
    cdef epoll_event events[BATCH]
    cdef int64_t turn_ns = 0, before_ns
    cdef uint64_t taken, rested = 0    # packets that had been taken before this turn, before the last long pause
    cdef bint timer, urgent, drains = False
    cdef int count
    while not shard.stop:
        count = epoll_wait(shard.epoll, events, BATCH, 0 if drains or shard.taken != NULL else -1)
        before_ns, turn_ns = turn_ns, clock_ns()
        shard.turn += 1
        shard.hurries = False
        taken = shard.packets_in
        # First what was commanded: a command that was answered holds for every packet that arrives afterwards.
        # Nobody wakes us for commands: the next packet does, or the next tick.
        if shard.command_count or shard.taken != NULL:
            run_commands(shard)
        timer = take_batch(shard, events, count)
        timer |= turn_ns >= shard.deadline_ns   # its event may come behind those of a thousand sockets
        urgent = turn_ns - shard.urgent_ns < URGENT_NS
        drains = not urgent and shard.packets_in != taken and turn_ns - shard.deadline_ns < MOST_DRAIN_NS
        if timer and not drains:
            run_ticks(shard)
        # Only now, when no event of this batch can point to a slot that a command removed.
        post_freed(shard)
        notify(shard)
        if drains or shard.taken != NULL:
            continue
        if not urgent:
            if shard.packets_in != rested:
                rested = shard.packets_in
                pause(shard, turn_ns + easy_pace(shard))
        elif (count > 1 or turn_ns - before_ns < PACE_NS) and not shard.hurries:
            pause(shard, turn_ns + PACE_NS)
