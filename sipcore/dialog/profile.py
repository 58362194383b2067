"""What every message of a session carries besides its own: built once per session."""

from frozen import dataclass
from sipcore.build import Extra
from sipcore.dialog.info import TRICKLE
from sipcore.timers import DEFAULT_TIMERS, TimerConfig

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, UPDATE, PRACK, INFO"


@dataclass(frozen=True, slots=True)
class SessionProfile:
    """`contact` is our Contact value; `agent` names us in Server and User-Agent; `supported` are our option tags;
    `session_expires_s` is the session interval we ask for (RFC 4028), 0 for none, `min_se_s` the least we take; `allow`
    are the methods that we say to take inside the session."""

    contact: str
    agent: str = "Zvon"
    timers: TimerConfig = DEFAULT_TIMERS
    supported: str = ""
    session_expires_s: int = 0
    min_se_s: int = 90
    allow: str = ALLOW

    def request_extra(self, sdp: bytes) -> list[tuple[str, object]]:
        """Headers of an INVITE of ours (RFC 3261 Table 2)."""
        extra: list[tuple[str, object]] = [
            ("Contact", self.contact),
            ("Allow", self.allow),
            ("User-Agent", self.agent),
        ]
        return self._with_more(extra, sdp)

    def response_extra(self, sdp: bytes) -> list[tuple[str, object]]:
        """Headers of 1xx and 2xx to an INVITE."""
        extra: list[tuple[str, object]] = [
            ("Contact", self.contact),
            ("Allow", self.allow),
            ("Server", self.agent),
        ]
        return self._with_more(extra, sdp)

    def _with_more(self, extra: list[tuple[str, object]], sdp: bytes) -> list[tuple[str, object]]:
        with_ice = b"a=ice-ufrag:" in sdp
        supported = f"{self.supported}, {TRICKLE}".removeprefix(", ") if with_ice else self.supported
        if supported:
            extra.append(("Supported", supported))
        if with_ice:
            extra.append(("Recv-Info", TRICKLE))  # RFC 8840 §5
        if sdp:
            extra.append(("Content-Type", "application/sdp"))
        return extra


def with_extra(own: list[tuple[str, object]], extra: Extra) -> list[tuple[str, object]]:
    own.extend(extra)
    return own
