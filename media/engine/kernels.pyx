# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The inlined kernels of the engine one by one, so that tests can hold each against its plain reference."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from media.engine.posix cimport Address
from media.engine.reasons cimport KEPT
from media.rtp.address cimport host_text, make_address
from media.rtp.asking cimport MAX_ASKED, MAX_LOST, Asked, write_lost, write_picture_lost, write_whole_picture
from media.rtp.bursts cimport Bursts, bursts_packet, bursts_restart
from media.rtp.control cimport Block, Received, SenderInfo, read_compound, round_trip, write_description, write_goodbye
from media.rtp.control cimport write_report
from media.rtp.digits cimport Digit, DigitReceiver, digit_packet, digit_timeout
from media.rtp.extended cimport EXTENDED_SIZE, Metrics, write_extended
from media.rtp.header cimport Header, parse_header
from media.rtp.latching cimport MAX_ALLOWED, Latch, latch_configure, latch_receive
from media.rtp.outgoing cimport Outgoing, Stamp, outgoing_stamp
from media.rtp.rating cimport burst_ratio_of, loss_impairment, mos_of, r_factor
from media.rtp.reception cimport Reception, reception_fraction, reception_jitter, reception_packet, reception_total_lost

from media.engine.reasons import NAMES


def parse(const uint8_t[::1] data not None):
    """(type, marker, sequence, timestamp, ssrc, offset, length), or the drop reason."""
    cdef Header h
    cdef int reason = parse_header(&data[0] if data.shape[0] else NULL, <int>data.shape[0], &h)
    if reason != KEPT:
        return NAMES[reason]
    return h.payload_type, bool(h.marker), h.sequence, h.timestamp, h.ssrc, h.offset, h.length


cdef class LatchKernel:
    cdef Latch latch

    def __init__(self, remote, permitted):
        memset(&self.latch, 0, sizeof(Latch))
        make_address(remote.host.encode(), remote.port, &self.latch.remote)
        self.configure(remote, permitted, 0)

    def configure(self, remote, permitted, int64_t now_ns):
        cdef Address target
        cdef Address allowed[MAX_ALLOWED]
        cdef int count = 0
        make_address(remote.host.encode(), remote.port, &target)
        for host in permitted:
            make_address(host.encode(), 0, &allowed[count])
            count += 1
        latch_configure(&self.latch, &target, allowed, count, now_ns)

    def receive(self, source, uint32_t ssrc, uint16_t sequence, int64_t now_ns):
        cdef Address address
        make_address(source.host.encode(), source.port, &address)
        return NAMES[latch_receive(&self.latch, &address, ssrc, sequence, now_ns)]

    @property
    def source(self):
        """(host, port) once learned."""
        cdef char text[64]
        cdef int port
        if not self.latch.learned:
            return None
        port = host_text(&self.latch.source, text, sizeof(text))
        return (<bytes>text).decode(), port


cdef class ReceptionKernel:
    cdef Reception reception

    def packet(self, uint32_t ssrc, uint16_t sequence):
        reception_packet(&self.reception, ssrc, sequence)

    def arrival(self, uint32_t timestamp, uint32_t rate, int64_t now_ns):
        reception_jitter(&self.reception, timestamp, rate, now_ns)

    def fraction(self):
        return reception_fraction(&self.reception)

    @property
    def lost(self):
        return reception_total_lost(&self.reception)

    @property
    def jitter(self):
        return self.reception.jitter


cdef class BurstKernel:
    cdef Bursts bursts

    def packet(self, uint16_t sequence):
        bursts_packet(&self.bursts, sequence)

    def restart(self):
        bursts_restart(&self.bursts)

    @property
    def counts(self):
        """(received, lost, runs, duplicates, bursts, their packets, their losses)."""
        cdef const Bursts *b = &self.bursts
        return b.received, b.lost, b.runs, b.duplicates, b.bursts, b.burst_packets, b.burst_lost


def rated(double ie, double bpl, uint32_t lost, uint32_t runs, uint32_t total, double delay_ms):
    """(R, MOS) of a stream."""
    cdef double r = r_factor(
        loss_impairment(ie, bpl, 100.0 * lost / total, burst_ratio_of(lost, runs, total)), delay_ms
    )
    return r, mos_of(r)


cdef class DigitKernel:
    cdef DigitReceiver receiver

    def packet(self, bytes payload, uint32_t timestamp, int64_t now_ns):
        """[(event, duration)] that ended, None for a malformed payload."""
        cdef Digit ended[2]
        cdef int i, count = digit_packet(
            &self.receiver, <const uint8_t *>payload, <int>len(payload), timestamp, now_ns, ended
        )
        return None if count < 0 else [(ended[i].event, ended[i].duration) for i in range(count)]

    def tick(self, int64_t now_ns):
        cdef Digit ended
        return [(ended.event, ended.duration)] if digit_timeout(&self.receiver, now_ns, &ended) else []


cdef class OutgoingKernel:
    cdef Outgoing out

    def __init__(self, uint16_t sequence, uint32_t timestamp):
        memset(&self.out, 0, sizeof(Outgoing))
        self.out.sequence = sequence
        self.out.timestamp = timestamp

    def stamp(self, uint64_t feed, uint16_t sequence, uint32_t timestamp, uint32_t rate, int64_t now_ns):
        """(sequence, timestamp, marker), None for a packet from before the switch."""
        cdef Stamp stamp
        if not outgoing_stamp(&self.out, feed, sequence, timestamp, rate, now_ns, &stamp):
            return None
        return stamp.sequence, stamp.timestamp, bool(stamp.marker)


def write_rtcp(uint32_t ssrc, sender, block, bytes cname not None, bint goodbye):
    """A compound packet; `sender` and `block` are records of `media.rtp.rtcp` or None."""
    cdef uint8_t packet[128]
    cdef SenderInfo info
    cdef Block report
    cdef int size
    if sender is not None:
        info.ntp, info.timestamp, info.packets, info.octets = sender.ntp, sender.timestamp, sender.packets, sender.octets
    if block is not None:
        report.ssrc, report.fraction, report.lost = block.ssrc, block.fraction, block.lost
        report.highest, report.jitter = block.highest, block.jitter
        report.last_report, report.delay = block.last_report, block.delay
    size = write_report(packet, ssrc, &info if sender is not None else NULL, &report if block is not None else NULL)
    size += write_description(packet + size, ssrc, cname)
    if goodbye:
        size += write_goodbye(packet + size, ssrc)
    return packet[:size]


cdef Metrics metrics_from(record):
    cdef Metrics m
    m.ssrc, m.loss_rate, m.discard_rate = record.ssrc, record.loss_rate, record.discard_rate
    m.burst_density, m.gap_density = record.burst_density, record.gap_density
    m.burst_ms, m.gap_ms = record.burst_ms, record.gap_ms
    m.round_trip_ms, m.end_system_ms = record.round_trip_ms, record.end_system_ms
    m.r_factor, m.mos_lq, m.mos_cq, m.receiver = record.r_factor, record.mos_lq, record.mos_cq, record.receiver
    m.buffer_ms, m.buffer_most_ms, m.buffer_limit_ms = (
        record.buffer_ms, record.buffer_most_ms, record.buffer_limit_ms
    )
    return m


def write_xr(uint32_t ssrc, record):
    """An XR packet with one `media.rtp.xr.VoipMetrics`."""
    cdef uint8_t packet[EXTENDED_SIZE]
    cdef Metrics m = metrics_from(record)
    return packet[: write_extended(packet, ssrc, &m)]


def read_xr(const uint8_t[::1] data not None, uint32_t own):
    """What a compound packet says of `own` in VoIP Metrics, as the fields that are read; None: nothing."""
    cdef Received r
    cdef const Metrics *m = &r.metrics
    if not read_compound(&data[0] if data.shape[0] else NULL, <int>data.shape[0], own, &r) or not r.has_metrics:
        return None
    return {
        "ssrc": m.ssrc, "loss_rate": m.loss_rate, "discard_rate": m.discard_rate, "burst_density": m.burst_density,
        "gap_density": m.gap_density, "burst_ms": m.burst_ms, "gap_ms": m.gap_ms, "round_trip_ms": m.round_trip_ms,
        "end_system_ms": m.end_system_ms, "r_factor": m.r_factor, "mos_lq": m.mos_lq, "mos_cq": m.mos_cq,
        "receiver": m.receiver, "buffer_ms": m.buffer_ms, "buffer_most_ms": m.buffer_most_ms,
        "buffer_limit_ms": m.buffer_limit_ms,
    }


def read_asked(const uint8_t[::1] data not None, uint32_t own):
    """What a compound packet asks of `own`: (a whole picture, [(first lost, others)]); None when it is none."""
    cdef Received r
    if not read_compound(&data[0] if data.shape[0] else NULL, <int>data.shape[0], own, &r):
        return None
    return bool(r.asked.picture), [(r.asked.first[i], r.asked.others[i]) for i in range(r.asked.count)]


def write_asked(uint32_t ssrc, uint32_t of, int sequence, lost):
    """Lost packets, else a FIR with `sequence`, else a PLI when that is negative."""
    cdef uint8_t packet[MAX_ASKED]
    cdef Asked asked
    asked.count = 0
    for first, others in lost[:MAX_LOST]:
        asked.first[asked.count], asked.others[asked.count] = first, others
        asked.count += 1
    if asked.count:
        return packet[: write_lost(packet, ssrc, of, &asked)]
    if sequence < 0:
        return packet[: write_picture_lost(packet, ssrc, of)]
    return packet[: write_whole_picture(packet, ssrc, of, <uint8_t>sequence)]


def read_rtcp(const uint8_t[::1] data not None, uint32_t own):
    """None when it is no compound packet, else (ssrc, last report, lost at the peer, goodbye)."""
    cdef Received r
    if not read_compound(&data[0] if data.shape[0] else NULL, <int>data.shape[0], own, &r):
        return None
    return r.ssrc, r.last_report if r.has_sender else None, r.block.lost if r.has_block else None, bool(r.goodbye)


def trip(uint32_t now, uint32_t last_report, uint32_t delay):
    cdef Block block
    block.last_report = last_report
    block.delay = delay
    return round_trip(now, &block)
