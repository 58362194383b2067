"""Why a packet was not used; `media/engine/reasons.py` names them in the same order."""

cdef enum Drop:
    KEPT = 0
    TOO_SHORT
    OVERSIZED
    BAD_VERSION
    BAD_LENGTH
    UNCONFIGURED
    STRANGER
    NOT_SOURCE
    PROBATION
    LATE_SOURCE
    UNKNOWN_PAYLOAD
    NO_CODEC
    HELD
    STALE
    BAD_EVENT
    RTCP_MALFORMED
    RTCP_STRANGER
    SEND_FULL
    SEND_REFUSED
    SEND_FAILED
    EVENTS_FULL
    REASONS
