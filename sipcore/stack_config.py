"""How a stack behaves: what it says of itself, its timers, its limits."""

from dataclasses import dataclass

from sipcore.parse import DEFAULT_LIMITS, ParseLimits
from sipcore.timers import DEFAULT_TIMERS, TimerConfig

KNOWN_METHODS = frozenset(
    (
        *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "SUBSCRIBE"),
        *("NOTIFY", "MESSAGE", "INFO", "REFER", "UPDATE", "PRACK", "PUBLISH"),
    )
)


@dataclass(frozen=True, slots=True)
class StackConfig:
    """`agent` goes into Server and User-Agent; `stateless_tag` makes the To tag of responses sent without keeping
    state: equal for a retransmission (RFC 3261 §8.2.7)."""

    agent: str = "Zvon"
    timers: TimerConfig = DEFAULT_TIMERS
    limits: ParseLimits = DEFAULT_LIMITS
    extensions: frozenset[str] = frozenset()
