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
from media.engine.commanding cimport free_command, watch
from media.engine.looping cimport TIMER, run
from media.engine.measures cimport CHUNK, CHUNKS, Interval, Measures
from media.engine.measuring cimport BurstFigures, Rating, burst_figures, jitter_ms, rate_all
from media.engine.posix cimport (
    AF_INET, CLOCK_MONOTONIC, EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS,
    IPV6_V6ONLY, MSG_DONTWAIT, MSG_NOSIGNAL, SO_RCVBUF, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOL_SOCKET, TFD_CLOEXEC, TFD_NONBLOCK,
    TFD_TIMER_ABSTIME, Address, bind, clock_ns, close, epoll_create1, errno, eventfd, htons, itimerspec,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock, read, sendto, setsockopt, socket,
    timerfd_create, timerfd_settime, write,
)
from media.engine.reasons cimport REASONS
from media.engine.slots cimport (
    ADD, ADJUST, AIM, CONFIGURE, DIGIT, DIGITS, DIGITS_SENT, ECHO, FREED, HANDSHAKE, LATE_BUCKETS, LEARNED, LINK,
    MAX_COMMANDS, MAX_DIGITS, MAX_STEPS, MAX_TONES, OPENER, PCM, PLAY, PLAY_ENDED, RELEASED, REMOVE, SEALER, SHARED,
    SILENT, SPEAK, STOP, TAP, TICK_NS, TONES, UNLINK, Adjustment, Command, Config, Event, Player, Route, Shard, Slot,
    ToneStep,
)
from media.engine.playing cimport TONE_RATE
from media.engine.speakers cimport BroadcastBox, SpeakerBox
from media.engine.tables cimport PayloadTable, RouteTable
from media.record.ring cimport Ring
from media.rtp.address cimport address_size, host_text, make_address
from media.rtp.control cimport CNAME_SIZE
from media.rtp.reception cimport reception_total_lost
from media.srtp.cipher cimport CipherBox

RECEIVE_BUFFER = 65536   # 40 packets behind: more would be too late to be heard
PICTURE_BUFFER = 524288  # a whole picture comes at once
PICTURE_DSCP = 34        # AF41 (RFC 4594 §4.3)

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
    cdef dict held              # what the engine may use: address -> who owns the memory
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


cdef bytes intervals_of(const Measures *m, uint32_t wanted):
    """The last records, oldest first."""
    cdef uint32_t last = m.count, most = CHUNK * CHUNKS
    cdef uint32_t at = last - min(last, most, wanted)
    cdef list found = []
    while at < last:
        found.append((<const char *>(m.chunks[at % most // CHUNK] + at % CHUNK))[:sizeof(Interval)])
        at += 1
    return b"".join(found)


cdef dict measured_of(const Slot *slot, uint32_t intervals):
    """The figures of a `StreamReport` by name."""
    cdef const Measures *m = &slot.measures
    cdef Rating rating
    cdef BurstFigures figures
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
    if m.remotes:
        found["remote_jitter_ms"] = m.remote_jitter_ms / m.remotes
        found["remote_loss_percent"] = m.remote_loss / m.remotes
        found["remote_mos"] = m.remote_mos / m.remotes
    return found


cdef int open_socket(const Address *address, int dscp, int size) except -1:
    """A bound UDP socket; OSError says why not."""
    cdef int one = 1, tos = dscp << 2
    cdef int fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        raise OSError(errno, os.strerror(errno))
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size))
    if address.any.sa_family == AF_INET:
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
    else:
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos))
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))
    if bind(fd, &address.any, address_size(address)) < 0:
        number = errno
        close(fd)
        raise OSError(number, os.strerror(number))
    return fd


cdef bint read_address(object host, int port, Address *result) except False:
    if not make_address(host.encode(), port, result):
        raise ValueError(f"{host} is not an IP address")
    return True


cdef class ShardThread:
    """One engine. Every method is for the control thread; `drain` when `fileno` is readable."""

    cdef Shard shard
    cdef object thread
    cdef dict handles          # serial -> Handle
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
        self.dscp = dscp
        self.shard.idle_ns = <int64_t>(idle_s * 1e9)
        self.shard.commands_end = &self.shard.commands
        self.shard.events_end = &self.shard.events
        self.shard.g711 = g711_tables()
        self.shard.random = int.from_bytes(os.urandom(8), "little") | 1
        self.shard.feeds = <uint64_t>2 << 32
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

    cdef int _push(self, int kind, Handle handle, void *data, uint64_t number, Handle other) except -1:
        cdef Command *command = <Command *>calloc(1, sizeof(Command))
        if command == NULL:
            free(data)
            raise MemoryError()
        command.kind = kind
        command.slot = handle.slot
        command.other = other.slot if other is not None else NULL
        command.data = data
        command.number = number
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

    def open(self, str host, int port, bint demux=False, int passes=0, Handle beside=None):
        """Bind `port` and the next one; raises OSError or ValueError. `demux`: STUN and DTLS become events. `passes`: 1
        RTP, 2 any datagrams go over to another endpoint as they come. `beside`: an endpoint of the same party."""
        cdef Address address
        cdef Handle handle = Handle.__new__(Handle)
        cdef int rtp, rtcp, dscp = self.dscp, size = RECEIVE_BUFFER
        if passes:
            dscp, size = min(dscp, PICTURE_DSCP), PICTURE_BUFFER
        read_address(host, port, &address)
        rtp = open_socket(&address, dscp, size)
        address.v4.sin_port = htons(<uint16_t>(port + 1))
        try:
            rtcp = open_socket(&address, dscp, size)
        except OSError:
            close(rtp)
            raise
        self._make_slot(handle, rtp, rtcp)
        handle.slot.demux = demux
        handle.slot.passes = passes
        if beside is not None:
            memcpy(handle.slot.cname, beside.slot.cname, CNAME_SIZE)   # sound and picture go together by it
        handle.port = port
        self._push(ADD, handle, NULL, 0, None)
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
        slot.busy_index = -1
        slot.trip = -1
        slot.config.event_type = -1
        memcpy(&slot.out.ssrc, random, 4)
        memcpy(&slot.out.timestamp, random + 4, 4)
        memcpy(&slot.out.sequence, random + 8, 2)
        slot.out.sequence &= 0x7FFF   # so that it cannot wrap before the first packet is heard (RFC 3711 §3.3.1)
        memcpy(slot.cname, <const char *>cname, CNAME_SIZE)
        handle.ssrc = slot.out.ssrc
        handle.slot = slot
        handle.rtp_fd = rtp
        handle.held = {}
        self.handles[slot.serial] = handle
        return 0

    def configure(
        self, Handle handle, PayloadTable table, remote, rtcp, allowed, int flags, int ptime_ms, double silence_s,
        int takes=0,
    ):
        """`remote`, `rtcp`: (host, port); `allowed`: hosts; `flags`: 1 sends, 2 receives, 4 rtcp-mux, 8 secured, 16
        pinned by ICE, 32 reachable, 64 wants VoIP Metrics. `takes`: 1 PLI, 2 FIR, 4 NACK."""
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
        config.extended = flags >> 6 & 1
        config.ptime_ms = ptime_ms
        config.takes = takes
        config.silence_ns = <int64_t>(silence_s * 1e9)
        self._push(CONFIGURE, handle, config, 0, None)

    def set_cipher(self, Handle handle, CipherBox box, bint sending):
        """Other keys for one direction; what arrives under the keys of before is taken for a moment longer."""
        handle.held[<uint64_t>&box.cipher] = box
        self._push(SEALER if sending else OPENER, handle, NULL, <uint64_t>&box.cipher, None)

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
        self._push(AIM, handle, address, 0, None)

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
        self._push(UNLINK, handle, NULL, 0, None)

    def echo(self, Handle handle, bint on):
        self._push(ECHO, handle, NULL, on, None)

    def speak(self, Handle handle, SpeakerBox box):
        """How the endpoint is spoken to from now on; None: there is no way."""
        if box is not None:
            handle.held[<uint64_t>&box.speaker] = box
        self._push(SPEAK, handle, NULL, 0 if box is None else <uint64_t>&box.speaker, None)

    def play_samples(
        self, Handle handle, uint64_t play, sound, int rate, bint loop, float gain=1, size_t position=0,
        bint shared=False, BroadcastBox broadcast=None,
    ):
        """Play a sound at `rate`; it is kept until the player has ended. `shared`: its position is that of the clock;
        `broadcast`: the same, encoded once for all."""
        cdef Player *player = <Player *>calloc(1, sizeof(Player))
        cdef Py_buffer view
        if player == NULL:
            raise MemoryError()
        PyObject_GetBuffer(sound.samples, &view, PyBUF_SIMPLE)
        player.kind = SHARED if shared else PCM
        player.rate = rate
        player.broadcast = &broadcast.broadcast if broadcast is not None else NULL
        player.loop = loop
        player.gain = gain
        player.number = play
        player.pcm = <const int16_t *>view.buf
        player.length = view.len // 2
        player.position = min(position, player.length)
        PyBuffer_Release(&view)
        handle.held[<uint64_t>player] = sound, broadcast
        self._push(PLAY, handle, player, 0, None)

    def play_tones(self, Handle handle, uint64_t play, steps, bint loop):
        """`steps`: (phase increments of 32 bits, samples, amplitude) each."""
        cdef Player *player = <Player *>calloc(1, sizeof(Player))
        cdef ToneStep *step
        if player == NULL:
            raise MemoryError()
        player.kind = TONES
        player.rate = TONE_RATE
        player.gain = 1
        player.loop = loop
        player.number = play
        for increments, samples, amplitude in steps[:MAX_STEPS]:
            step = &player.steps[player.step_count]
            step.samples = samples
            step.amplitude = amplitude
            for increment in increments[:MAX_TONES]:
                step.increment[step.count] = increment
                step.count += 1
            player.step_count += 1
        self._push(PLAY, handle, player, 0, None)

    def stop(self, Handle handle, uint64_t play):
        self._push(STOP, handle, NULL, play, None)

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
        self._push(ADJUST, handle, change, play, None)

    def record_into(self, uint64_t ring):
        """Where packets go of which somebody wants a copy; lives as long as the engine."""
        self.shard.ring = <Ring *>ring

    def tap(self, Handle handle, number):
        """Copy what arrives under this number; None: no more."""
        self._push(TAP, handle, NULL, 0 if number is None else number + 1, None)

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
        self._push(REMOVE, handle, NULL, 0, None)

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
            result.append(self._event(event))
            free(event)
            event = following
        return result

    cdef tuple _event(self, Event *event):
        cdef char text[64]
        cdef int port
        if event.kind == DIGIT:
            return "digit", event.serial, event.first, event.second
        if event.kind == PLAY_ENDED:
            self._release(event)
            free(<void *>event.memory)
            return "play_ended", event.serial, event.first, event.second
        if event.kind == LEARNED:
            port = host_text(&event.address, text, sizeof(text))
            return "learned", event.serial, (<bytes>text).decode(), port
        if event.kind == SILENT:
            return "silent", event.serial, event.first / 1e9
        if event.kind == DIGITS_SENT:
            return "digits_sent", event.serial, event.first
        if event.kind == RELEASED:
            self._release(event)
            return "released", event.serial
        if event.kind == HANDSHAKE:
            port = host_text(&event.address, text, sizeof(text))
            data = (<const char *>event + sizeof(Event))[:event.size]
            return "handshake", event.serial, (<bytes>text).decode(), port, data
        return self._freed(self.handles.pop(event.serial))

    cdef void _release(self, const Event *event):
        """Let go of what the engine used."""
        cdef Handle handle = self.handles[event.serial]
        handle.held.pop(<uint64_t>event.memory, None)

    cdef tuple _freed(self, Handle handle):
        cdef Slot *slot = handle.slot
        measured = measured_of(slot, CHUNK * CHUNKS)
        free_slot(slot)
        handle.slot = NULL
        handle.held = {}
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
        self.handles.clear()
        self._close_descriptors()
        _alive.discard(self)

    cdef void _free_commands(self, Command *command) noexcept:
        cdef Command *following
        while command != NULL:
            following = command.next
            if command.kind == PLAY:
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
