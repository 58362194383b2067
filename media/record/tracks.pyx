# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The recorder's thread decodes what was taken from the engine and lays it on the master clock.

Reference of the places: `tracks_ref.py`. Whoever owns a `Track` or the `Taps` is the only one to touch them; the engine
thread writes into the ring and nothing else.
"""

import numpy as np

from libc.stdint cimport INT32_MAX, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from media.codec.coder cimport (
    CODER_G722, CODER_G729, CODER_L16, CODER_OPUS, CODER_PCMA, CODER_PCMU, MAX_FRAME_SAMPLES, Coder, coder_close,
    coder_decode, coder_open,
)
from media.dsp.resample cimport Resampler, resample, resampler_open
from media.record.ring cimport RING_BYTES, Ring, Taken, ring_done, ring_next, ring_put

KINDS = {
    "PCMU": CODER_PCMU, "PCMA": CODER_PCMA, "L16": CODER_L16, "G722": CODER_G722, "OPUS": CODER_OPUS,
    "G729": CODER_G729,
}

cdef enum:
    MAX_FORMATS = 8
    MAX_TRACKS = 4                        # recordings of one party at once
    WINDOW = 256
    JUMP_MS = 500
    DRIFT_MS = 20
    KEPT_MS = 2048
    ROOM = 6 * MAX_FRAME_SAMPLES + 16     # 8 kHz in 120 ms frames become 48 kHz


cdef struct Format:
    Coder coder
    Resampler resampler


cdef struct Place:
    bint anchored
    uint32_t ssrc
    uint32_t timestamp
    int64_t position
    int seen
    int64_t least


cdef struct Lane:                  # what a `Track` is for the recorder's loop
    int rate
    int64_t start
    uint64_t placed
    uint64_t late
    uint64_t undecoded
    Place place
    int size
    int16_t *samples
    uint8_t entry[128]
    Format *known[MAX_FORMATS]
    int count


cdef class Track:
    """What one party says, on the master clock; see `TrackReference`. `formats` says how its payloads are decoded."""

    cdef Lane lane

    def __cinit__(self, int rate, int64_t start):
        self.lane.rate, self.lane.start = rate, start
        self.lane.size = KEPT_MS * rate // 1000
        self.lane.samples = <int16_t *>calloc(self.lane.size, sizeof(int16_t))
        if self.lane.samples == NULL:
            raise MemoryError()

    def __dealloc__(self):
        self._forget()
        free(self.lane.samples)

    @property
    def start(self):
        """Where the next sample lies."""
        return self.lane.start

    @property
    def placed(self):
        """Packets."""
        return self.lane.placed

    @property
    def late(self):
        """Packets that came when their place had been written already, or much too early."""
        return self.lane.late

    @property
    def undecoded(self):
        return self.lane.undecoded

    cdef void _forget(self) noexcept:
        cdef int i
        for i in range(self.lane.count):
            coder_close(&self.lane.known[i].coder)
            free(self.lane.known[i])
        self.lane.count = 0
        memset(self.lane.entry, 0, sizeof(self.lane.entry))

    def formats(self, formats):
        """(payload type, name of the encoding, PCM rate) each, from now on. False when one cannot be decoded."""
        cdef Format *format
        cdef bint complete = True
        self._forget()
        for number, name, rate in formats[:MAX_FORMATS]:
            format = <Format *>calloc(1, sizeof(Format))
            if format == NULL:
                raise MemoryError()
            if not (
                coder_open(&format.coder, KINDS[name], rate, NULL)
                and resampler_open(&format.resampler, rate, self.lane.rate)
            ):
                coder_close(&format.coder)
                free(format)
                complete = False
                continue
            self.lane.known[self.lane.count] = format
            self.lane.count += 1
            self.lane.entry[number & 127] = self.lane.count
        return complete

    def put(self, int64_t arrived, uint32_t ssrc, uint32_t timestamp, int payload_type, bytes payload):
        """One packet; `arrived` in samples of the master clock."""
        cdef int16_t work[2 * ROOM]
        lane_put(&self.lane, arrived, ssrc, timestamp, payload_type, payload, <int>len(payload), work)

    def take(self, int count):
        """The next samples; what was not said is silence."""
        found = np.empty(count, dtype=np.int16)
        cdef int16_t[::1] out = found
        cdef int i, at = <int>(self.lane.start % self.lane.size)
        for i in range(count):
            out[i] = self.lane.samples[at]
            self.lane.samples[at] = 0
            at = at + 1 if at + 1 < self.lane.size else 0
        self.lane.start += count
        return found


cdef int64_t place_of(Lane *t, int64_t arrived, uint32_t ssrc, uint32_t timestamp, int clock) noexcept nogil:
    """Where the first sample of the packet lies."""
    cdef Place *p = &t.place
    cdef int64_t position, delay, scaled
    cdef int64_t jump = JUMP_MS * t.rate // 1000, drift = DRIFT_MS * t.rate // 1000
    if p.anchored and ssrc == p.ssrc:
        scaled = <int64_t>(<int32_t>(timestamp - p.timestamp)) * t.rate
        position = p.position + (scaled // clock if scaled >= 0 else -((clock - 1 - scaled) // clock))
        delay = arrived - position
        if -jump <= delay <= jump:
            p.least = delay if p.seen == 0 else min(p.least, delay)
            p.seen += 1
            if p.seen < WINDOW:
                return position
            p.seen = 0
            if not -drift < p.least < drift:
                position += p.least
            p.timestamp, p.position = timestamp, position
            return position
    p.anchored, p.ssrc, p.timestamp, p.position = True, ssrc, timestamp, arrived
    p.seen, p.least = 0, 0
    return arrived


cdef void lane_put(
    Lane *t, int64_t arrived, uint32_t ssrc, uint32_t timestamp, int payload_type, const uint8_t *payload, int length,
    int16_t *work
) noexcept nogil:
    """`work`: room for two frames."""
    cdef Format *format
    cdef int16_t *pcm = work
    cdef int64_t position
    cdef int count, i, at, skipped
    if t.entry[payload_type & 127] == 0:
        t.undecoded += 1
        return
    format = t.known[t.entry[payload_type & 127] - 1]
    count = coder_decode(&format.coder, payload, length, work, MAX_FRAME_SAMPLES)
    if count <= 0:
        t.undecoded += 1
        return
    if format.resampler.taps:
        pcm = work + ROOM
        count = resample(&format.resampler, work, count, pcm)
    position = place_of(t, arrived, ssrc, timestamp, format.coder.clock_rate)
    skipped = <int>max(<int64_t>0, min(t.start - position, <int64_t>INT32_MAX))
    if skipped >= count or position + count > t.start + t.size:
        t.late += 1
        return
    t.placed += 1
    at = <int>((position + skipped) % t.size)
    for i in range(skipped, count):
        t.samples[at] = pcm[i]
        at = at + 1 if at + 1 < t.size else 0


cdef struct Tap:
    uint64_t serial
    int count
    Lane *lanes[MAX_TRACKS]       # borrowed: `_held` keeps their tracks


cdef void deliver(Lane *lane, const Taken *taken, int16_t *work) noexcept nogil:
    lane_put(
        lane, taken.arrived_ns // 1000 * lane.rate // 1000000, taken.ssrc, taken.timestamp, taken.payload_type,
        <const uint8_t *>taken + sizeof(Taken), taken.length, work,
    )


cdef class Taps:
    """The ring from the engine, and which tracks each tap fills."""

    cdef Ring _ring
    cdef Tap *taps
    cdef int capacity
    cdef list _held
    cdef int16_t *work

    def __cinit__(self):
        self._held = []
        self._ring.data = <uint8_t *>calloc(RING_BYTES, 1)
        self.work = <int16_t *>calloc(2 * ROOM, sizeof(int16_t))
        if self._ring.data == NULL or self.work == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self._ring.data)
        free(self.work)
        free(self.taps)

    @property
    def ring(self):
        """Its address, for the engine."""
        return <uint64_t>&self._ring

    @property
    def lost(self):
        """Packets for which there was no room."""
        return self._ring.lost

    def add(self, int tap, uint64_t serial, Track track not None):
        """What the tap `tap` of the slot `serial` takes goes to the track as well."""
        cdef Tap *found
        cdef Tap *grown
        if tap >= self.capacity:
            grown = <Tap *>realloc(self.taps, (2 * tap + 64) * sizeof(Tap))
            if grown == NULL:
                raise MemoryError()
            self.taps = grown
            memset(self.taps + self.capacity, 0, (2 * tap + 64 - self.capacity) * sizeof(Tap))
            self.capacity = 2 * tap + 64
        found = &self.taps[tap]
        if found.serial != serial:
            found.serial, found.count = serial, 0
        if found.count == MAX_TRACKS:
            raise ValueError("At most 4 recordings of one party can run at once.")
        found.lanes[found.count] = &track.lane
        found.count += 1
        self._held.append(track)

    def remove(self, int tap, Track track not None):
        cdef Tap *found = &self.taps[tap]
        cdef int i
        for i in range(found.count):
            if found.lanes[i] == &track.lane:
                found.count -= 1
                found.lanes[i] = found.lanes[found.count]
                break
        self._held.remove(track)

    def drain(self, int64_t until_ns):
        """Lay down what was taken until then; how many packets that were."""
        cdef const Taken *taken
        cdef Tap *tap
        cdef int i, count = 0
        with nogil:
            while True:
                taken = ring_next(&self._ring)
                if taken == NULL or taken.arrived_ns > until_ns:
                    break
                if taken.tap < <uint32_t>self.capacity:
                    tap = &self.taps[taken.tap]
                    if tap.serial == taken.serial:
                        for i in range(tap.count):
                            deliver(tap.lanes[i], taken, self.work)
                ring_done(&self._ring, taken)
                count += 1
        return count

    def put(
        self, uint32_t tap, uint64_t serial, int64_t arrived_ns, uint32_t ssrc, uint32_t timestamp, int payload_type,
        bytes payload
    ):
        """What the engine does with a packet. False when there was no room."""
        cdef Taken head
        head.tap, head.serial, head.arrived_ns = tap, serial, arrived_ns
        head.ssrc, head.timestamp = ssrc, timestamp
        head.length, head.payload_type = <uint16_t>len(payload), payload_type
        return ring_put(&self._ring, &head, payload)
