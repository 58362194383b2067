"""Digits that a party presses (RFC 4733): told once each, and pressed at the other party's where packets cannot go over.
"""

from libc.stdint cimport int64_t, uint32_t

from media.engine.busy cimport add_busy
from media.engine.mixed cimport other_of
from media.engine.outbox cimport drop, tell
from media.engine.pressing cimport let_go, press
from media.engine.reasons cimport BAD_EVENT
from media.engine.slots cimport DIGIT, NOT_CARRIED, Shard, Slot
from media.rtp.digits cimport Digit, digit_packet, digit_timeout
from media.rtp.header cimport Header


cdef inline int64_t lasted_ms(const Slot *slot, const Digit *digit) noexcept nogil:
    return <int64_t>digit.duration * 1000 // slot.digit_rate if slot.digit_rate else 0


cdef inline Slot *hears_digits(Slot *slot) noexcept nogil:
    """The other one of two, if anybody."""
    if slot.echo or slot.config.keeps_digits:
        return NULL
    return other_of(slot) if slot.voice != NULL else slot.peer


cdef inline void tell_digits(Shard *shard, Slot *slot, const Digit *digits, int count) noexcept nogil:
    """Events above 15 are no digits."""
    cdef int i
    for i in range(count):
        if digits[i].event < 16:
            tell(shard, slot, DIGIT, digits[i].event, lasted_ms(slot, &digits[i]))


cdef inline void carry_digits(Shard *shard, Slot *slot, const Digit *digits, int count) noexcept nogil:
    """Press at the other party's what is pressed here, for as long."""
    cdef Slot *other = hears_digits(slot)
    cdef int i
    if other == NULL:
        return
    for i in range(count):
        if slot.presses or press(shard, other, digits[i].event):
            let_go(other, <uint32_t>lasted_ms(slot, &digits[i]))
        slot.presses = False
    if slot.digits.open and not slot.presses:
        slot.presses = press(shard, other, slot.digits.event)


cdef inline bint goes_over(const Slot *slot, const Header *h) noexcept nogil:
    """The packet itself reaches the other party."""
    if slot.voice != NULL:
        return False
    return slot.echo or (not slot.config.keeps_digits and slot.route.action[h.payload_type] != NOT_CARRIED)


cdef inline void receive_event(Shard *shard, Slot *slot, const Header *h, uint32_t rate, int64_t now_ns) noexcept nogil:
    cdef Digit digits[2]
    cdef int count = digit_packet(&slot.digits, shard.buffer + h.offset, h.length, h.timestamp, now_ns, digits)
    if count < 0:
        drop(shard, slot, BAD_EVENT)
        return
    slot.digit_rate = rate
    if slot.digits.open:
        add_busy(shard, slot)
    tell_digits(shard, slot, digits, count)
    if not goes_over(slot, h):
        carry_digits(shard, slot, digits, count)


cdef inline void tick_pressed_digit(Shard *shard, Slot *slot, int64_t now_ns) noexcept nogil:
    """One whose end was lost is over after a while."""
    cdef Digit digit
    if slot.digits.open and digit_timeout(&slot.digits, now_ns, &digit):
        tell_digits(shard, slot, &digit, 1)
        if slot.presses:
            carry_digits(shard, slot, &digit, 1)
