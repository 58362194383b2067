"""How the streams of a slot sound: every five seconds, and as a whole (ITU-T G.107, RFC 3611 §4.7).

Loss and bursts of the peer's stream are counted here; what becomes of ours, the peer reports. A delay is half the round
trip, a packet, and the jitter buffer: ours while the sound is decoded here, where what is late for it is lost too; in a
relay, the one that a listener needs.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc

from media.engine.measures cimport CHUNK, CHUNKS, NOT_KNOWN, Interval, Measures
from media.engine.slots cimport Slot
from media.jitter.playout cimport PLAYOUT_VOICE, Playout
from media.rtp.bursts cimport Bursts, bursts_restart
from media.rtp.extended cimport UNAVAILABLE, Metrics
from media.rtp.rating cimport burst_ratio_of, loss_impairment, mos_of, r_factor

cdef enum:
    INTERVAL_NS = 5000000000
    LEAST_BUFFER_MS = 40
    BUFFER_LIMIT_MS = 400       # of `media/jitter/policy.pyx`
    CONCEALS_AND_ADAPTS = 0xB0  # RFC 3611 §4.7.6


cdef struct Rating:
    double loss_percent         # on the way
    double late_percent         # for the jitter buffer
    double ie_eff
    double delay_ms
    double mos                  # 0: nothing to rate


cdef struct BurstFigures:       # densities in percent
    double burst_percent
    double gap_percent
    double burst_ms             # of one, on average
    double gap_ms


cdef inline double jitter_ms(const Slot *slot) noexcept nogil:
    return slot.reception.jitter * 1000 / slot.reception.rate if slot.reception.rate else 0.0


cdef inline double trip_ms(const Slot *slot) noexcept nogil:
    """-1: not known."""
    return slot.trip * 1000 / 65536.0 if slot.trip >= 0 else -1.0


cdef inline double needed_ms(double jitter) noexcept nogil:
    """The jitter buffer of a listener that nobody has asked."""
    return max(<double>LEAST_BUFFER_MS, 3 * jitter)


cdef inline double way_ms(const Slot *slot, double buffer_ms) noexcept nogil:
    """From one mouth to the other ear, as far as this leg goes."""
    return slot.config.ptime_ms + max(0.0, trip_ms(slot)) / 2 + buffer_ms


cdef inline void rate(
    const Slot *slot, uint32_t came, uint32_t lost, uint32_t late, uint32_t runs, double delay_ms, Rating *rating
) noexcept nogil:
    """`late` of those that came were so for the jitter buffer; each is a loss by itself."""
    rating.delay_ms = delay_ms
    rating.loss_percent = rating.late_percent = rating.ie_eff = rating.mos = 0.0
    if came == 0:
        return
    rating.loss_percent = 100.0 * lost / (came + lost)
    rating.late_percent = 100.0 * late / (came + lost)
    rating.ie_eff = loss_impairment(
        slot.config.ie,
        slot.config.bpl,
        rating.loss_percent + rating.late_percent,
        burst_ratio_of(lost + late, runs + late, came + lost),
    )
    rating.mos = mos_of(r_factor(rating.ie_eff, delay_ms))


cdef inline double remote_mos(const Slot *slot, double loss_percent, double jitter) noexcept nogil:
    """As the peer says itself, else by its figures."""
    cdef const Metrics *m = &slot.measures.metrics
    if slot.measures.has_metrics and 10 <= m.mos_cq <= 50:
        return m.mos_cq / 10.0
    return mos_of(r_factor(
        loss_impairment(slot.config.ie, slot.config.bpl, loss_percent, 1.0), way_ms(slot, needed_ms(jitter))
    ))


cdef inline uint16_t kept(double value) noexcept nogil:
    return <uint16_t>(value + 0.5) if value < NOT_KNOWN - 1 else NOT_KNOWN - 1


cdef inline Interval *next_interval(Measures *m) noexcept nogil:
    """NULL when there is no memory."""
    cdef uint32_t at = m.count % (CHUNK * CHUNKS)
    cdef Interval **chunk = &m.chunks[at // CHUNK]
    if chunk[0] == NULL:
        chunk[0] = <Interval *>calloc(CHUNK, sizeof(Interval))
        if chunk[0] == NULL:
            return NULL
    return chunk[0] + at % CHUNK


cdef inline void look_at_buffer(Slot *slot) noexcept nogil:
    """Where the peer's sound is decoded."""
    cdef Measures *m = &slot.measures
    cdef const Playout *p = slot.voice.playout if slot.voice != NULL else NULL
    cdef uint32_t network = m.bursts.lost - m.network_before
    m.network_before = m.bursts.lost
    if p == NULL:
        return
    if p.late < m.late_before or p.lost < m.missing_before:
        m.late_before = m.missing_before = 0       # another one than before
    m.late += <uint32_t>(p.late - m.late_before)
    m.missing += <uint32_t>(p.lost - m.missing_before)
    m.network += network
    m.late_before, m.missing_before = p.late, p.lost
    if p.sound == PLAYOUT_VOICE:
        m.looks += 1
        m.looks_ms += p.delay_ms
        m.buffer_most_ms = max(m.buffer_most_ms, p.delay_ms)


cdef inline uint32_t discarded(const Measures *m) noexcept nogil:
    """What was missing for the jitter buffer although it came."""
    return m.missing - m.network if m.missing > m.network else 0


cdef inline double close_buffer(Measures *m, double jitter) noexcept nogil:
    """The delay of the jitter buffer in the record that ends, in ms."""
    cdef double buffer_ms
    if not m.looks:
        return needed_ms(jitter)
    buffer_ms = m.looks_ms / <double>m.looks
    m.looks = m.looks_ms = 0
    m.buffered += 1
    m.buffer_ms += buffer_ms
    return buffer_ms


cdef inline void close_heard(Slot *slot, Interval *record) noexcept nogil:
    """What came from the peer."""
    cdef Measures *m = &slot.measures
    cdef uint32_t came = m.bursts.received - m.came_before
    cdef uint32_t lost = m.bursts.lost - m.lost_before
    cdef uint32_t late = discarded(m) - m.discarded_then if discarded(m) > m.discarded_then else 0
    cdef double jitter = jitter_ms(slot)
    cdef Rating rating
    rate(
        slot, came, lost, min(came, late), m.bursts.runs - m.runs_before,
        way_ms(slot, close_buffer(m, jitter)), &rating,
    )
    record.received = kept(slot.received - m.received_before)
    record.lost = kept(lost)
    record.jitter = kept(10 * jitter)
    record.trip_ms = kept(trip_ms(slot)) if slot.trip >= 0 else NOT_KNOWN
    record.mos = kept(1000 * rating.mos) if rating.mos > 0 else NOT_KNOWN
    if rating.mos > 0:
        m.worst_mos = min(m.worst_mos, rating.mos) if m.intervals else rating.mos
        m.intervals += 1
        m.delay_ms += rating.delay_ms
        m.jitter_ms += jitter


cdef inline void close_remote(Slot *slot, Interval *record) noexcept nogil:
    """What the peer reports of ours."""
    cdef Measures *m = &slot.measures
    cdef double loss = 100.0 * m.remote_fraction / 256
    cdef double jitter = m.remote_jitter * 1000.0 / slot.out.rate if slot.out.rate else 0.0
    cdef double mos
    record.sent = kept(slot.out.packets - m.sent_before)
    record.remote_loss = record.remote_jitter = record.remote_mos = NOT_KNOWN
    if not m.has_remote:
        return
    mos = remote_mos(slot, loss, jitter)
    record.remote_loss, record.remote_jitter, record.remote_mos = kept(100 * loss), kept(10 * jitter), kept(1000 * mos)
    m.has_remote = False
    m.remotes += 1
    m.remote_loss += loss
    m.remote_jitter_ms += jitter
    m.remote_mos += mos


cdef inline void close_interval(Slot *slot) noexcept nogil:
    cdef Measures *m = &slot.measures
    cdef Interval *record = next_interval(m)
    if record == NULL:
        return
    close_heard(slot, record)
    close_remote(slot, record)
    m.count += 1
    m.received_before, m.sent_before = slot.received, slot.out.packets
    m.came_before, m.lost_before, m.runs_before = m.bursts.received, m.bursts.lost, m.bursts.runs
    m.discarded_then = discarded(m)


cdef inline void visit_measures(Slot *slot, int64_t now_ns) noexcept nogil:
    cdef Measures *m = &slot.measures
    look_at_buffer(slot)
    if m.due_ns == 0:
        if slot.received or slot.out.packets:
            m.due_ns = now_ns + INTERVAL_NS
    elif now_ns >= m.due_ns:
        close_interval(slot)
        m.due_ns += INTERVAL_NS
        if m.due_ns < now_ns:
            m.due_ns = now_ns + INTERVAL_NS   # after a stall


cdef inline void end_measures(Slot *slot) noexcept nogil:
    """The slot goes: what is left is an interval too."""
    bursts_restart(&slot.measures.bursts)
    look_at_buffer(slot)
    if slot.received > slot.measures.received_before or slot.out.packets > slot.measures.sent_before:
        close_interval(slot)


# --- as a whole ----------------------------------------------------------------------------------------------------


cdef inline void rate_all(const Slot *slot, Rating *rating) noexcept nogil:
    cdef const Measures *m = &slot.measures
    cdef double delay_ms = m.delay_ms / m.intervals if m.intervals else way_ms(slot, needed_ms(jitter_ms(slot)))
    rate(
        slot, m.bursts.received, m.bursts.lost, min(m.bursts.received, discarded(m)), m.bursts.runs, delay_ms, rating
    )


cdef inline double buffer_so_far(const Measures *m) noexcept nogil:
    """The delay of the jitter buffer in ms, with the record that is open; -1 where there was none."""
    cdef double latest = m.looks_ms / <double>m.looks if m.looks else 0.0
    cdef uint32_t count = m.buffered + (m.looks > 0)
    return (m.buffer_ms + latest) / count if count else -1.0


cdef inline void burst_figures(const Slot *slot, BurstFigures *figures) noexcept nogil:
    """A burst that may be going on counts as one that is over."""
    cdef const Bursts *b = &slot.measures.bursts
    cdef bint is_open = b.group_lost > 1
    cdef uint32_t count = b.bursts + is_open
    cdef uint32_t packets = b.burst_packets + (b.group_packets if is_open else 0)
    cdef uint32_t lost = b.burst_lost + (b.group_lost if is_open else 0)
    cdef uint32_t others = b.received + b.lost - packets
    figures.burst_percent = 100.0 * lost / packets if packets else 0.0
    figures.gap_percent = 100.0 * (b.lost - lost) / others if others else 0.0
    figures.burst_ms = packets * slot.config.ptime_ms / count if count else 0.0
    figures.gap_ms = others * slot.config.ptime_ms / (count + 1)


cdef inline uint8_t part(double percent) noexcept nogil:
    """In 1/256."""
    return <uint8_t>min(255.0, percent * 2.56)


cdef inline void fill_metrics(const Slot *slot, Metrics *metrics) noexcept nogil:
    """VoIP Metrics of the peer's stream since its beginning. In a relay, what is said of the jitter buffer is zero."""
    cdef const Measures *m = &slot.measures
    cdef Rating rating
    cdef BurstFigures figures
    cdef double trip = trip_ms(slot)
    rate_all(slot, &rating)
    burst_figures(slot, &figures)
    metrics.ssrc = slot.reception.ssrc
    metrics.loss_rate, metrics.discard_rate = part(rating.loss_percent), part(rating.late_percent)
    metrics.burst_density, metrics.gap_density = part(figures.burst_percent), part(figures.gap_percent)
    metrics.burst_ms, metrics.gap_ms = kept(figures.burst_ms), kept(figures.gap_ms)
    metrics.round_trip_ms = kept(max(0.0, trip))
    metrics.end_system_ms = 0
    metrics.r_factor = metrics.mos_lq = metrics.mos_cq = UNAVAILABLE
    if rating.mos > 0:
        metrics.r_factor = <uint8_t>(r_factor(rating.ie_eff, rating.delay_ms) + 0.5)
        metrics.mos_lq = <uint8_t>(10 * mos_of(r_factor(rating.ie_eff, 0)) + 0.5)
        metrics.mos_cq = <uint8_t>(10 * rating.mos + 0.5)
    metrics.receiver = 0
    metrics.buffer_ms = metrics.buffer_most_ms = metrics.buffer_limit_ms = 0
    if buffer_so_far(m) >= 0:
        metrics.receiver = CONCEALS_AND_ADAPTS
        metrics.buffer_ms, metrics.buffer_most_ms = kept(buffer_so_far(m)), kept(m.buffer_most_ms)
        metrics.buffer_limit_ms = BUFFER_LIMIT_MS
