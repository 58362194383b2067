# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""The engine thread and its handle for the control thread.

Control opens sockets and fills records; the thread owns every slot from `ADD` to `FREED`. Commands go in and events
come out over two lists under one mutex that is held for a few instructions. An eventfd wakes control for events; the
thread needs no waking, it takes commands before each batch of packets and at each tick. No packet touches the
interpreter.
"""

import os
import threading
import weakref
from binascii import b2a_base64

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport M_PI, sin
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from media.codec.g711 cimport g711_tables
from media.engine.priority import ask_for_real_time
from media.engine.arriving cimport set_stamped
from media.engine.commanding cimport free_command, watch
from media.engine.looping cimport TIMER, run
from media.engine.figures cimport measured_of
from media.engine.measures cimport CHUNK, CHUNKS
from media.engine.posix cimport (
    CLOCK_MONOTONIC, EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, MSG_DONTWAIT, MSG_NOSIGNAL, TFD_CLOEXEC, TFD_NONBLOCK,
    TFD_TIMER_ABSTIME, Address, clock_ns, close, epoll_create1, errno, eventfd, htons, itimerspec,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, read, sendto, timerfd_create,
    timerfd_settime, write,
)
from media.engine.reasons cimport REASONS
from media.engine.slots cimport (
    ADD, ADJUST, AIM, CLOSE_ROOM, CONFIGURE, DIGIT, DIGITS, DIGITS_SENT, ECHO, FREED, GAIN, HANDSHAKE, HEAR,
    LATE_BUCKETS, LEARNED, LINK, MAX_COMMANDS, MAX_DIGITS, MAX_STEPS, MAX_TONES, OPEN_ROOM, OPENER, PCM, PLAY, PLAY_ENDED,
    PLAY_TO_ROOM, RELEASED, REMOVE, ROLE, ROOM_PLAY_ENDED, SEALER, SENDS, SHARED, SILENT, SPEAK, STOP, STOP_IN_ROOM,
    TALKS, TAP, TAP_ROOM, TICK_NS, TONES, UNLINK, VOICE, Adjustment, Command, Config, Event, Player, Route, Shard, Slot,
    ToneStep,
)
from media.engine.playing cimport TONE_RATE
from media.engine.sockets cimport PICTURE_BUFFER, PICTURE_DSCP, RECEIVE_BUFFER, open_socket, read_address
from media.engine.speakers cimport BroadcastBox, SpeakerBox
from media.engine.tables cimport PayloadTable, RouteTable
from media.engine.voices cimport EarBox, RoomBox, VoiceBox
from media.record.ring cimport Ring
from media.rtp.address cimport address_size, host_text
from media.rtp.control cimport CNAME_SIZE
from media.srtp.cipher cimport CipherBox

_alive = weakref.WeakSet()


def _forget_in_child():
    """A forked child has the descriptors but not the thread: it lets go of them, so that ports can be closed."""
    for shard in list(_alive):
        shard._abandon()


os.register_at_fork(after_in_child=_forget_in_child)


cdef class Handle:
    """One endpoint, as the control thread knows it; dead once its `freed` event was drained."""

    cdef Slot *slot
    cdef int rtp_fd
    cdef readonly uint64_t serial
    cdef readonly int port
    cdef readonly uint32_t ssrc

    def __dealloc__(self):
        free_slot(self.slot)


cdef void free_slot(Slot *slot) noexcept:
    cdef int i
    if slot != NULL:
        for i in range(CHUNKS):
            free(slot.measures.chunks[i])
        free(slot)


cdef class ShardThread:
    """One engine. Every method is for the control thread; `drain` when `fileno` is readable."""

    cdef Shard shard
    cdef object thread
    cdef dict handles          # serial -> Handle
    cdef dict held             # what the engine may use: address -> who owns the memory
    cdef uint64_t serials
    cdef bint closed
    cdef int dscp
    cdef object __weakref__

    def __cinit__(self):
        self.shard.epoll = self.shard.timer = self.shard.notify = -1
        self.closed = True
        pthread_mutex_init(&self.shard.lock, NULL)

    def __init__(self, double idle_s, int dscp):
        cdef int i
        self.handles = {}
        self.held = {}
        self.dscp = dscp
        self.shard.idle_ns = <int64_t>(idle_s * 1e9)
        self.shard.commands_end = &self.shard.commands
        self.shard.events_end = &self.shard.events
        self.shard.g711 = g711_tables()
        self.shard.random = int.from_bytes(os.urandom(8), "little") | 1
        for i in range(1025):
            self.shard.sine[i] = <float>sin(2 * M_PI * i / 1024)
        self._open()
        self.closed = False
        self.thread = threading.Thread(target=self._run, name="media-engine", daemon=True)
        self.thread.start()
        _alive.add(self)

    def __dealloc__(self):
        free(self.shard.slots)
        free(self.shard.busy)
        free(self.shard.rooms)
        pthread_mutex_destroy(&self.shard.lock)

    cdef int _open(self) except -1:
        self.shard.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.shard.notify = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        self.shard.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if min(self.shard.epoll, self.shard.notify, self.shard.timer) < 0:
            number = errno
            self._close_descriptors()
            raise OSError(number, os.strerror(number))
        watch(&self.shard, self.shard.timer, TIMER)
        self._schedule()
        return 0

    cdef void _schedule(self):
        cdef itimerspec times
        self.shard.deadline_ns = clock_ns() + TICK_NS
        self.shard.first_tick = self.shard.deadline_ns // TICK_NS
        times.it_value.tv_sec = self.shard.deadline_ns // 1000000000
        times.it_value.tv_nsec = self.shard.deadline_ns % 1000000000
        times.it_interval.tv_sec = 0
        times.it_interval.tv_nsec = TICK_NS
        timerfd_settime(self.shard.timer, TFD_TIMER_ABSTIME, &times, NULL)

    def _run(self):
        ask_for_real_time()
        with nogil:
            run(&self.shard)

    # --- commands ---------------------------------------------------------------------------------------------------

    cdef Command *_command(self, int kind, Handle handle) except NULL:
        cdef Command *command = <Command *>calloc(1, sizeof(Command))
        if command == NULL:
            raise MemoryError()
        command.kind = kind
        command.slot = handle.slot if handle is not None else NULL
        return command

    cdef int _push(self, int kind, Handle handle, void *data=NULL, uint64_t number=0, Handle other=None) except -1:
        cdef Command *command
        try:
            command = self._command(kind, handle)
        except MemoryError:
            free(data)
            raise
        command.other = other.slot if other is not None else NULL
        command.data = data
        command.number = number
        self._append(command)
        return 0

    cdef int _lend(self, int kind, Handle handle, object owner, void *memory, void *data=NULL, number=0) except -1:
        """Memory that is the engine's until it is released."""
        cdef Command *command = self._command(kind, handle)
        if memory != NULL:
            self.held[<uint64_t>memory] = owner
        command.memory, command.data, command.number = memory, data, number
        self._append(command)
        return 0

    cdef void _append(self, Command *command) noexcept:
        pthread_mutex_lock(&self.shard.lock)
        self.shard.commands_end[0] = command
        self.shard.commands_end = &command.next
        self.shard.command_count += 1
        pthread_mutex_unlock(&self.shard.lock)

    @property
    def overloaded(self):
        """Too many commands wait for the engine."""
        return self.shard.command_count >= MAX_COMMANDS

    @property
    def lent(self):
        """How many pieces of memory the engine may use."""
        return len(self.held)

    def open(self, str host, int port, bint demux=False, int passes=0, Handle beside=None):
        """Bind `port` and the next one; raises OSError or ValueError. `demux`: STUN and DTLS become events. `passes`: 1
        RTP, 2 any datagrams go over to another endpoint as they come. `beside`: an endpoint of the same party."""
        cdef Address address
        cdef Handle handle = Handle.__new__(Handle)
        cdef int rtp, rtcp, size = PICTURE_BUFFER if passes else RECEIVE_BUFFER
        cdef int dscp = min(self.dscp, <int>PICTURE_DSCP) if passes else self.dscp
        read_address(host, port, &address)
        rtp = open_socket(&address, dscp, size)
        address.v4.sin_port = htons(<uint16_t>(port + 1))
        try:
            rtcp = open_socket(&address, dscp, size)
        except OSError:
            close(rtp)
            raise
        self._make_slot(handle, rtp, rtcp)
        set_stamped(handle.slot, True)
        handle.slot.demux = demux
        handle.slot.passes = passes
        if beside is not None:
            memcpy(handle.slot.cname, beside.slot.cname, CNAME_SIZE)   # sound and picture go together by it
        handle.port = port
        self._push(ADD, handle)
        # Only after the command, so that whoever is woken by the first packet finds it.
        watch(&self.shard, rtp, <uint64_t>handle.slot)
        watch(&self.shard, rtcp, <uint64_t>handle.slot | 1)
        return handle

    cdef int _make_slot(self, Handle handle, int rtp, int rtcp) except -1:
        cdef Slot *slot = <Slot *>calloc(1, sizeof(Slot))
        cdef bytes chance = os.urandom(10 + 3 * CNAME_SIZE // 4)
        cdef bytes cname = b2a_base64(chance[10:], newline=False)
        cdef const uint8_t *random = chance
        if slot == NULL:
            raise MemoryError()
        self.serials += 1
        slot.serial = handle.serial = self.serials
        slot.rtp_fd = rtp
        slot.rtcp_fd = rtcp
        slot.busy_index = slot.audio_type = slot.trip = slot.config.event_type = -1
        memcpy(&slot.out.ssrc, random, 4)
        memcpy(&slot.out.timestamp, random + 4, 4)
        memcpy(&slot.out.sequence, random + 8, 2)
        slot.out.sequence &= 0x7FFF   # so that it cannot wrap before the first packet is heard (RFC 3711 §3.3.1)
        memcpy(slot.cname, <const char *>cname, CNAME_SIZE)
        handle.ssrc = slot.out.ssrc
        handle.slot = slot
        handle.rtp_fd = rtp
        self.handles[slot.serial] = handle
        return 0

    def configure(
        self, Handle handle, PayloadTable table, remote, rtcp, allowed, int flags, int ptime_ms, double silence_s,
        int takes=0,
    ):
        """`remote`, `rtcp`: (host, port); `allowed`: hosts; `flags`: 1 sends, 2 receives, 4 rtcp-mux, 8 secured, 16
        pinned by ICE, 32 reachable, 64 wants VoIP Metrics, 128 keeps its digits. `takes`: 1 PLI, 2 FIR, 4 NACK."""
        cdef Config *config = <Config *>calloc(1, sizeof(Config))
        if config == NULL:
            raise MemoryError()
        try:
            config[0] = table.config
            read_address(remote[0], remote[1], &config.remote)
            read_address(rtcp[0], rtcp[1], &config.rtcp)
            for host in allowed:
                read_address(host, 0, &config.allowed[config.allowed_count])
                config.allowed_count += 1
        except BaseException:
            free(config)
            raise
        config.sends = flags & 1
        config.receives = flags >> 1 & 1
        config.mux = flags >> 2 & 1
        config.secured = flags >> 3 & 1
        config.pinned = flags >> 4 & 1
        config.reachable = flags >> 5 & 1
        config.extended, config.keeps_digits = flags >> 6 & 1, flags >> 7 & 1
        config.ptime_ms = ptime_ms
        config.takes = takes
        config.silence_ns = <int64_t>(silence_s * 1e9)
        self._push(CONFIGURE, handle, config)

    def set_cipher(self, Handle handle, CipherBox box, bint sending):
        """Other keys for one direction; what arrives under the keys of before is taken for a moment longer."""
        self._lend(SEALER if sending else OPENER, handle, box, &box.cipher)

    def aim(self, Handle handle, str host, int port):
        """Where ICE wants everything sent."""
        cdef Address *address = <Address *>calloc(1, sizeof(Address))
        if address == NULL:
            raise MemoryError()
        try:
            read_address(host, port, address)
        except BaseException:
            free(address)
            raise
        self._push(AIM, handle, address)

    def send(self, Handle handle, bytes data, str host, int port):
        """A packet of a handshake, at once; whether the system took it."""
        cdef Address address
        read_address(host, port, &address)
        return sendto(
            handle.rtp_fd, <const char *>data, len(data), MSG_DONTWAIT | MSG_NOSIGNAL, &address.any,
            address_size(&address),
        ) == len(data)

    def link(self, Handle first, Handle second, RouteTable there, RouteTable back):
        """Let two endpoints hear each other; again to replace the routes."""
        cdef Route *routes = <Route *>calloc(2, sizeof(Route))
        if routes == NULL:
            raise MemoryError()
        routes[0] = there.route
        routes[1] = back.route
        self._push(LINK, first, routes, 0, second)

    def unlink(self, Handle handle):
        self._push(UNLINK, handle)

    def echo(self, Handle handle, bint on):
        self._push(ECHO, handle, NULL, on)

    def speak(self, Handle handle, SpeakerBox box):
        """How the endpoint is spoken to from now on; None: there is no way."""
        self._lend(SPEAK, handle, box, &box.speaker if box is not None else NULL)

    def voice(self, Handle handle, VoiceBox box):
        """Into the room of the box, or into it anew; None: out of it."""
        self._lend(VOICE, handle, box, &box.voice if box is not None else NULL)

    def hear(self, Handle handle, EarBox box):
        """Tell the digits that the party sends as tones; None: it sends none."""
        self._lend(HEAR, handle, box, &box.ear if box is not None else NULL)

    def role(self, Handle handle, int role):
        """1: it talks, 2: it hears, 4: whether it talks is told."""
        self._push(ROLE, handle, NULL, role)

    def gain(self, Handle source, Handle sink, float gain):
        """How loud `sink` hears `source` in the room that is mixed for both."""
        cdef Command *command = self._command(GAIN, sink)
        command.other, command.gain = source.slot, gain
        self._append(command)

    def open_room(self):
        """A room that is mixed; `close_room` when nobody will enter it any more."""
        cdef RoomBox box
        self.serials += 1
        box = RoomBox(self.serials)
        self._lend(OPEN_ROOM, None, box, &box.room)
        return box

    cdef int _to_room(self, int kind, RoomBox box, void *data=NULL, uint64_t number=0) except -1:
        cdef Command *command = self._command(kind, None)
        command.memory, command.data, command.number = &box.room, data, number
        self._append(command)
        return 0

    def close_room(self, RoomBox box):
        self._to_room(CLOSE_ROOM, box)

    def tap_room(self, RoomBox box, number):
        """Copy all that is said under this number; None: no more."""
        self._to_room(TAP_ROOM, box, NULL, 0 if number is None else number + 1)

    cdef Player *_samples(self, uint64_t play, sound, int rate, bint loop, float gain, size_t position) except NULL:
        cdef Player *player = <Player *>calloc(1, sizeof(Player))
        cdef Py_buffer view
        if player == NULL:
            raise MemoryError()
        PyObject_GetBuffer(sound.samples, &view, PyBUF_SIMPLE)
        player.kind, player.rate, player.loop, player.gain, player.number = PCM, rate, loop, gain, play
        player.pcm = <const int16_t *>view.buf
        player.length = view.len // 2
        player.position = min(position, player.length)
        PyBuffer_Release(&view)
        return player

    cdef Player *_tones(self, uint64_t play, steps, bint loop) except NULL:
        cdef Player *player = <Player *>calloc(1, sizeof(Player))
        cdef ToneStep *step
        if player == NULL:
            raise MemoryError()
        player.kind, player.rate, player.loop, player.gain, player.number = TONES, TONE_RATE, loop, 1, play
        for increments, samples, amplitude in steps[:MAX_STEPS]:
            step = &player.steps[player.step_count]
            step.samples = samples
            step.amplitude = amplitude
            for increment in increments[:MAX_TONES]:
                step.increment[step.count] = increment
                step.count += 1
            player.step_count += 1
        return player

    def play_samples(
        self, Handle handle, uint64_t play, sound, int rate, bint loop, float gain=1, size_t position=0,
        bint shared=False, BroadcastBox broadcast=None,
    ):
        """Play a sound at `rate`; it is kept until the player has ended. `shared`: its position is that of the clock;
        `broadcast`: the same, encoded once for all."""
        cdef Player *player = self._samples(play, sound, rate, loop, gain, position)
        if shared:
            player.kind = SHARED
        player.broadcast = &broadcast.broadcast if broadcast is not None else NULL
        self._lend(PLAY, handle, (sound, broadcast), player, player)

    def play_tones(self, Handle handle, uint64_t play, steps, bint loop):
        """`steps`: (phase increments of 32 bits, samples, amplitude) each."""
        self._push(PLAY, handle, self._tones(play, steps, loop))

    def play_samples_to_room(self, RoomBox box, uint64_t play, sound, int rate, bint loop, float gain, size_t position):
        """The same for everybody who is in it."""
        cdef Player *player = self._samples(play, sound, rate, loop, gain, position)
        self.held[<uint64_t>player] = sound
        self._to_room(PLAY_TO_ROOM, box, player)

    def play_tones_to_room(self, RoomBox box, uint64_t play, steps, bint loop):
        self._to_room(PLAY_TO_ROOM, box, self._tones(play, steps, loop))

    def stop_in_room(self, RoomBox box, uint64_t play):
        self._to_room(STOP_IN_ROOM, box, NULL, play)

    def stop(self, Handle handle, uint64_t play):
        self._push(STOP, handle, NULL, play)

    def adjust(self, Handle handle, uint64_t play, paused, position_ms, gain):
        """Change what plays; None leaves as it is."""
        cdef Adjustment *change = <Adjustment *>calloc(1, sizeof(Adjustment))
        if change == NULL:
            raise MemoryError()
        if paused is not None:
            change.set_paused, change.paused = True, paused
        if position_ms is not None:
            change.set_position, change.position_ms = True, position_ms
        if gain is not None:
            change.set_gain, change.gain = True, gain
        self._push(ADJUST, handle, change, play)

    def record_into(self, uint64_t ring):
        """Where packets go of which somebody wants a copy; lives as long as the engine."""
        self.shard.ring = <Ring *>ring

    def tap(self, Handle handle, number):
        """Copy what arrives under this number; None: no more."""
        self._push(TAP, handle, NULL, 0 if number is None else number + 1)

    def digits(self, Handle handle, bytes events, int duration_ms, int gap_ms):
        """At most `MAX_DIGITS` may wait for one endpoint; the caller counts."""
        cdef Command *command = <Command *>calloc(1, sizeof(Command))
        if command == NULL:
            raise MemoryError()
        command.kind = DIGITS
        command.slot = handle.slot
        command.count = min(<int>len(events), MAX_DIGITS)
        memcpy(command.digits, <const char *>events, command.count)
        command.duration_ms = duration_ms
        command.gap_ms = gap_ms
        self._append(command)

    def remove(self, Handle handle):
        """Close the endpoint; the handle must not be used again."""
        self._push(REMOVE, handle)

    # --- events -----------------------------------------------------------------------------------------------------

    def fileno(self):
        """Readable when events wait."""
        return self.shard.notify

    def nudge(self):
        """Make `fileno` readable; any thread may."""
        cdef uint64_t one = 1
        write(self.shard.notify, &one, sizeof(one))

    def drain(self):
        """Events as tuples: a name, the serial of the endpoint, what belongs to it."""
        cdef uint64_t count
        cdef Event *event
        cdef Event *following
        cdef list result = []
        read(self.shard.notify, &count, sizeof(count))
        pthread_mutex_lock(&self.shard.lock)
        event = self.shard.events
        self.shard.events = NULL
        self.shard.events_end = &self.shard.events
        self.shard.event_count = 0
        pthread_mutex_unlock(&self.shard.lock)
        while event != NULL:
            following = event.next
            told = self._event(event)
            if told is not None:
                result.append(told)
            free(event)
            event = following
        return result

    cdef tuple _event(self, Event *event):
        cdef char text[64]
        cdef int port
        if event.kind == DIGIT:
            return "digit", event.serial, event.first, event.second
        if event.kind == PLAY_ENDED or event.kind == ROOM_PLAY_ENDED:
            self.held.pop(<uint64_t>event.memory, None)
            free(<void *>event.memory)
            name = "play_ended" if event.kind == PLAY_ENDED else "room_play_ended"
            return name, event.serial, event.first, event.second
        if event.kind == TALKS:
            return "talks", event.serial, bool(event.first)
        if event.kind == SENDS:
            return "sends", event.serial, event.first
        if event.kind == LEARNED:
            port = host_text(&event.address, text, sizeof(text))
            return "learned", event.serial, (<bytes>text).decode(), port
        if event.kind == SILENT:
            return "silent", event.serial, event.first / 1e9
        if event.kind == DIGITS_SENT:
            return "digits_sent", event.serial, event.first
        if event.kind == RELEASED:
            self.held.pop(<uint64_t>event.memory, None)
            return None
        if event.kind == HANDSHAKE:
            port = host_text(&event.address, text, sizeof(text))
            data = (<const char *>event + sizeof(Event))[:event.size]
            return "handshake", event.serial, (<bytes>text).decode(), port, data
        return self._freed(self.handles.pop(event.serial))

    cdef tuple _freed(self, Handle handle):
        cdef Slot *slot = handle.slot
        measured = measured_of(slot, CHUNK * CHUNKS)
        free_slot(slot)
        handle.slot = NULL
        return "freed", handle.serial, measured

    def measure(self, Handle handle, uint32_t intervals):
        """What has been measured so far, with the last `intervals` records."""
        return measured_of(handle.slot, intervals)

    def counters(self):
        """(packets in, packets out, dropped by reason, lateness buckets) since the start."""
        return (
            self.shard.packets_in,
            self.shard.packets_out,
            [self.shard.dropped[i] for i in range(<int>REASONS)],
            [self.shard.late[i] for i in range(LATE_BUCKETS)],
        )

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self):
        """Stop the thread and close every socket; harmless when repeated."""
        cdef Handle handle
        if self.closed:
            return
        self.closed = True
        self.shard.stop = True   # seen at the next tick
        self.thread.join()
        self.drain()
        self._free_commands(self.shard.taken)
        self._free_commands(self.shard.commands)
        self.shard.taken = self.shard.commands = NULL
        for handle in self.handles.values():
            close(handle.slot.rtp_fd)
            close(handle.slot.rtcp_fd)
            free(handle.slot.player)
        for index in range(self.shard.room_count):
            free(self.shard.rooms[index].player)
        self.shard.room_count = 0
        self.handles.clear()
        self.held.clear()
        self._close_descriptors()
        _alive.discard(self)

    cdef void _free_commands(self, Command *command) noexcept:
        cdef Command *following
        while command != NULL:
            following = command.next
            if command.kind == PLAY or command.kind == PLAY_TO_ROOM:
                free(command.data)
            free_command(command)
            command = following

    cdef void _close_descriptors(self) noexcept:
        cdef int fd
        for fd in (self.shard.epoll, self.shard.timer, self.shard.notify):
            if fd >= 0:
                close(fd)
        self.shard.epoll = self.shard.timer = self.shard.notify = -1

    def _abandon(self):
        """In a forked child: the parent's thread goes on with its own descriptors."""
        cdef Handle handle
        if self.closed:
            return
        self.closed = True
        for handle in self.handles.values():
            close(handle.slot.rtp_fd)
            close(handle.slot.rtcp_fd)
        self._close_descriptors()
