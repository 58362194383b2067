"""What a command changes in the engine. The control thread has checked every one of them."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport abort, free, realloc

from media.engine.arriving cimport set_stamped
from media.engine.busy cimport add_busy, leave_busy
from media.engine.hearing cimport set_ear
from media.engine.measuring cimport end_measures
from media.engine.mixed cimport end_room_player, open_room, set_gain, set_role, set_voice
from media.engine.outbox cimport new_event, released
from media.engine.playing cimport adjust_player
from media.engine.pressing cimport let_go, queue_digits
from media.engine.sealing cimport set_opener, set_sealer, stop_ciphers
from media.engine.speaking cimport begin_feed, end_player
from media.engine.posix cimport EPOLL_CTL_ADD, EPOLLIN, Address, clock_ns, close, epoll_ctl, epoll_event
from media.engine.reporting cimport send_report
from media.engine.slots cimport (
    ADD, ADJUST, AIM, CLOSE_ROOM, CONFIGURE, DATAGRAMS, DIGITS, ECHO, FREED, GAIN, HEAR, LINK, OPENER, OPEN_ROOM, PLAY,
    PLAY_TO_ROOM, REMOVE, ROLE, SEALER, SPEAK, STOP, STOP_IN_ROOM, STOPPED, TAP, TAP_ROOM, UNLINK, VOICE, Adjustment,
    Command, Config, Ear, Event, Player, Room, Route, Shard, Slot, Speaker, Voice,
)
from media.rtp.address cimport same_address
from media.rtp.latching cimport latch_aim, latch_configure
from media.srtp.cipher cimport Cipher


cdef inline void watch(Shard *shard, int fd, uint64_t data) noexcept nogil:
    cdef epoll_event event
    event.events = EPOLLIN
    event.data.u64 = data
    epoll_ctl(shard.epoll, EPOLL_CTL_ADD, fd, &event)


cdef inline bint grow(Shard *shard) noexcept nogil:
    cdef int capacity = 2 * shard.capacity if shard.capacity else 1024
    cdef Slot **slots = <Slot **>realloc(shard.slots, capacity * sizeof(void *))
    cdef Slot **busy
    if slots == NULL:
        return False
    shard.slots = slots
    busy = <Slot **>realloc(shard.busy, capacity * sizeof(void *))
    if busy == NULL:
        return False
    shard.busy = busy
    shard.capacity = capacity
    return True


cdef inline void add_slot(Shard *shard, Slot *slot) noexcept nogil:
    if shard.count == shard.capacity and not grow(shard):
        abort()   # a few kilobytes are missing: nothing can go on; the worker is started again
    slot.index = shard.count
    shard.slots[shard.count] = slot
    shard.count += 1


cdef inline void configure(Slot *slot, const Config *config, int64_t now_ns) noexcept nogil:
    cdef bint expects_same = slot.configured and slot.config.silence_ns == config.silence_ns
    if slot.configured and not same_address(&slot.config.rtcp, &config.rtcp):
        slot.rtcp_learned = False
    if not slot.configured:
        slot.latch.remote = config.remote
        slot.configured_ns = now_ns
    if config.pinned and not slot.latch.pinned:
        slot.latch.aimless = True
    slot.latch.pinned = config.pinned
    latch_configure(&slot.latch, &config.remote, config.allowed, config.allowed_count, now_ns)
    slot.config = config[0]
    slot.configured = True
    if slot.audio_type < 0 or config.entry[slot.audio_type] == 0:
        slot.audio_type = config.audio_type
    if not expects_same:
        slot.heard_ns = now_ns


cdef inline void unlink(Slot *slot) noexcept nogil:
    if slot.peer != NULL:
        if slot.presses:
            let_go(slot.peer, 0)
        if slot.peer.presses:
            let_go(slot, 0)
        slot.presses = slot.peer.presses = False
        set_stamped(slot.peer, True)
        set_stamped(slot, True)
        slot.peer.peer = NULL
        slot.peer = NULL


cdef inline void link(Slot *slot, Slot *other, const Route *routes) noexcept nogil:
    """Both directions at once; the first route is that from `slot` to `other`."""
    if slot.peer != other:
        unlink(slot)
        unlink(other)
    slot.peer = other
    other.peer = slot
    slot.route = routes[0]
    other.route = routes[1]
    set_stamped(slot, False)
    set_stamped(other, False)


cdef inline void play(Shard *shard, Slot *slot, Player *player) noexcept nogil:
    if slot.player != NULL:
        end_player(shard, slot, STOPPED)
    slot.player = player
    begin_feed(shard, slot)
    add_busy(shard, slot)


cdef inline void set_speaker(Shard *shard, Slot *slot, Speaker *speaker) noexcept nogil:
    """What is made is sent in another codec, or in other packets, from now on."""
    released(shard, slot.speaker)
    slot.speaker = speaker
    begin_feed(shard, slot)


cdef inline void set_room_player(Shard *shard, Room *room, Player *player) noexcept nogil:
    if room.player != NULL:
        end_room_player(shard, room, STOPPED)
    room.player = player


cdef inline void apply_room_command(Shard *shard, const Command *command) noexcept nogil:
    cdef Room *room = <Room *>command.memory
    if command.kind == OPEN_ROOM:
        open_room(shard, room)
    elif command.kind == CLOSE_ROOM:
        room.closed = True   # it goes when the last voice has faded out
    elif command.kind == TAP_ROOM:
        room.tap = <unsigned int>command.number
    elif command.kind == PLAY_TO_ROOM:
        set_room_player(shard, room, <Player *>command.data)
    elif command.kind == STOP_IN_ROOM:
        if room.player != NULL and room.player.number == command.number:
            end_room_player(shard, room, STOPPED)


cdef inline void remove_slot(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """Say goodbye, close (which also ends watching) and give the memory back to the control thread."""
    cdef Slot *last
    cdef Event *freed
    end_measures(slot)
    if slot.configured and slot.passes != DATAGRAMS and (slot.out.packets or slot.rtcp_sent):
        send_report(shard, slot, True, now_ns)
    if slot.player != NULL:
        end_player(shard, slot, STOPPED)
    stop_ciphers(shard, slot)
    set_voice(shard, slot, NULL)
    released(shard, slot.speaker)
    slot.speaker = NULL
    set_ear(shard, slot, NULL)
    unlink(slot)
    leave_busy(shard, slot)
    close(slot.rtp_fd)
    close(slot.rtcp_fd)
    slot.rtp_fd = slot.rtcp_fd = -1   # more of this turn's events may point here
    shard.count -= 1
    last = shard.slots[shard.count]
    shard.slots[slot.index] = last
    last.index = slot.index
    freed = new_event(slot.serial, FREED, 0, 0)
    if freed != NULL:
        freed.next = shard.freed
        shard.freed = freed


cdef inline void apply_command(Shard *shard, const Command *command, int64_t now_ns) noexcept nogil:
    cdef Slot *slot = command.slot
    if command.kind == ADD:
        add_slot(shard, slot)
    elif command.kind == CONFIGURE:
        configure(slot, <const Config *>command.data, now_ns)
    elif command.kind == LINK:
        link(slot, command.other, <const Route *>command.data)
    elif command.kind == UNLINK:
        unlink(slot)
    elif command.kind == ECHO:
        slot.echo = command.number != 0
    elif command.kind == SPEAK:
        set_speaker(shard, slot, <Speaker *>command.memory)
    elif command.kind == VOICE:
        set_voice(shard, slot, <Voice *>command.memory)
    elif command.kind == HEAR:
        set_ear(shard, slot, <Ear *>command.memory)
    elif command.kind == ROLE:
        set_role(shard, slot, <int>command.number)
    elif command.kind == GAIN:
        set_gain(command.other, slot, command.gain)
    elif command.kind == PLAY:
        play(shard, slot, <Player *>command.data)
    elif command.kind == STOP:
        if slot.player != NULL and slot.player.number == command.number:
            end_player(shard, slot, STOPPED)
    elif command.kind == ADJUST:
        if slot.player != NULL and slot.player.number == command.number:
            adjust_player(slot.player, <const Adjustment *>command.data)
    elif command.kind == TAP:
        slot.tap = <unsigned int>command.number
    elif command.kind == DIGITS:
        queue_digits(slot, command.digits, command.count, command.duration_ms, command.gap_ms)
        add_busy(shard, slot)
    elif command.kind == OPENER:
        set_opener(shard, slot, <Cipher *>command.memory, now_ns)
    elif command.kind == SEALER:
        set_sealer(shard, slot, <Cipher *>command.memory)
    elif command.kind == AIM:
        latch_aim(&slot.latch, <const Address *>command.data)
    elif command.kind == REMOVE:
        remove_slot(shard, slot, now_ns)
    else:
        apply_room_command(shard, command)


cdef inline void free_command(Command *command) noexcept nogil:
    """A player belongs to its slot by now."""
    if command.kind in (ADJUST, AIM, CONFIGURE, LINK):
        free(command.data)
    free(command)
