"""How a stack behaves: what it says of itself, its timers, its limits."""

from collections.abc import Mapping
from dataclasses import field

from frozen import dataclass
from sipcore.dialog.session_timer import LEAST_MIN_SE_S
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
    state: equal for a retransmission (RFC 3261 §8.2.7). `session_expires_s` is the session interval we ask for
    (RFC 4028), 0 for none; a shorter one than `min_se_s` is refused. `further` are option tags that requests of one
    method may require besides."""

    agent: str = "Zvon"
    timers: TimerConfig = DEFAULT_TIMERS
    limits: ParseLimits = DEFAULT_LIMITS
    extensions: frozenset[str] = frozenset()
    further: Mapping[str, frozenset[str]] = field(default_factory=dict)
    session_expires_s: int = 0
    min_se_s: int = LEAST_MIN_SE_S

    @property
    def supported(self) -> frozenset[str]:
        """The option tags that a peer may require."""
        return self.extensions | {"timer"} if self.session_expires_s else self.extensions
