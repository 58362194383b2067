"""Is the peer still there? Session timers, RFC 4028, for both roles.

The two sides agree on an interval and on who refreshes the session, by a re-INVITE that changes nothing, after half of
it. Who does not see a refresh in time ends the session a little before the interval is over (§10). A peer that knows
nothing of session timers is refreshed by us all the same: its answer, whatever it says, proves that it lives, and its
silence ends the session as any re-INVITE without an answer does.

The machine knows only when something is due; the session carries it out.
"""

from enum import IntEnum

from sipcore.errors import ParseError
from sipcore.fsm import Ignored, Row, Table
from sipcore.headers import MinSE, SessionExpires
from sipcore.message import Message, Request, Response

OPTION = "timer"
LEAST_MIN_SE_S = 90  # §5: what counts when nobody says Min-SE
_LEAST_INTERVAL_S = 4  # below it a peer only asks for a flood
_MOST_RAISES = 5
_BUSY_S = 2.0  # another change is under way: it is a refresh itself

Fields = list[tuple[str, object]]


class State(IntEnum):
    OFF = 0
    OURS = 1
    THEIRS = 2
    ALONE = 3


class On(IntEnum):
    OURS = 0
    THEIRS = 1
    UNKNOWN = 2
    REFRESH = 3
    EXPIRED = 4
    REFUSED = 5
    STOP = 6


S, I = State, On  # noqa: E741

TABLE = Table(
    "session timer",
    State,
    On,
    [
        Row(S.OFF, I.OURS, S.OURS, "_refresh_and_expire", "RFC 4028 §10"),
        Row(S.OFF, I.THEIRS, S.THEIRS, "_expire_only", "RFC 4028 §10"),
        Row(S.OFF, I.UNKNOWN, S.ALONE, "_refresh_only", "RFC 4028 §7.2"),
        Row(S.OURS, I.OURS, S.OURS, "_refresh_and_expire", "RFC 4028 §10"),
        Row(S.OURS, I.THEIRS, S.THEIRS, "_expire_only", "RFC 4028 §7.3"),
        Row(S.OURS, I.UNKNOWN, S.ALONE, "_refresh_only", "RFC 4028 §7.2"),
        Row(S.OURS, I.REFRESH, S.OURS, "_try_again", "RFC 4028 §10"),
        Row(S.OURS, I.REFUSED, S.OURS, "_try_again", "RFC 4028 §7.4"),
        Row(S.OURS, I.EXPIRED, S.OFF, "_stop", "RFC 4028 §10"),
        Row(S.OURS, I.STOP, S.OFF, "_stop", "RFC 4028 §10"),
        Row(S.THEIRS, I.OURS, S.OURS, "_refresh_and_expire", "RFC 4028 §7.3"),
        Row(S.THEIRS, I.THEIRS, S.THEIRS, "_expire_only", "RFC 4028 §10"),
        Row(S.THEIRS, I.UNKNOWN, S.ALONE, "_refresh_only", "RFC 4028 §7.2"),
        Row(S.THEIRS, I.EXPIRED, S.OFF, "_stop", "RFC 4028 §10"),
        Row(S.THEIRS, I.STOP, S.OFF, "_stop", "RFC 4028 §10"),
        Row(S.ALONE, I.OURS, S.OURS, "_refresh_and_expire", "RFC 4028 §7.3"),
        Row(S.ALONE, I.THEIRS, S.THEIRS, "_expire_only", "RFC 4028 §7.3"),
        Row(S.ALONE, I.UNKNOWN, S.ALONE, "_refresh_only", "RFC 4028 §7.2"),
        Row(S.ALONE, I.REFRESH, S.ALONE, "_try_again", "RFC 4028 §7.2"),
        Row(S.ALONE, I.REFUSED, S.ALONE, "_refresh_only", "RFC 4028 §7.2"),
        Row(S.ALONE, I.STOP, S.OFF, "_stop", "RFC 4028 §10"),
    ],
    [
        Ignored(S.OFF, (I.REFRESH, I.EXPIRED, I.REFUSED, I.STOP), "nothing runs"),
        Ignored(S.THEIRS, (I.REFRESH, I.REFUSED), "the peer refreshes"),
        Ignored(S.ALONE, (I.EXPIRED,), "no interval was agreed on"),
    ],
)


class SessionTimer:
    """`interval_s` is the interval in force, before an agreement the one we ask for; `min_se_s` the least we take."""

    __slots__ = ("_expires_at", "_raises", "_refresh_at", "_wanted_s", "deadline", "interval_s", "min_se_s", "state")

    def __init__(self, interval_s: int, min_se_s: int) -> None:
        self.interval_s = self._wanted_s = interval_s
        self.min_se_s = min_se_s
        self.state = State.OFF
        self._raises = 0
        self._refresh_at: float | None = None
        self._expires_at: float | None = None
        self.deadline: float | None = None  # the earlier of both

    # --- what goes into messages ------------------------------------------------------------------------------

    def request_fields(self) -> Fields:
        """Headers of a request of ours that makes or refreshes the session (§7.1, §7.4)."""
        refresher = {State.OURS: ";refresher=uac", State.THEIRS: ";refresher=uas"}.get(self.state, "")
        fields: Fields = [("Session-Expires", f"{self.interval_s}{refresher}")]
        if self.min_se_s > LEAST_MIN_SE_S:
            fields.append(("Min-SE", self.min_se_s))
        return fields

    def accept(self, request: Request, now: float) -> Fields:
        """Headers of our 2xx to such a request (§9); the timer runs from now on."""
        asked, knows = _expires_of(request), knows_timers(request)
        least = max(self.min_se_s, _min_se_of(request))
        self.interval_s = max(min(asked.value, self._wanted_s) if asked is not None else self._wanted_s, least)
        by_peer = knows and asked is not None and asked.refresher == "uac"
        self._on(On.THEIRS if by_peer else On.OURS if knows or asked is not None else On.UNKNOWN, now)
        fields: Fields = [("Session-Expires", f"{self.interval_s};refresher={'uac' if by_peer else 'uas'}")]
        return [("Require", OPTION), *fields] if by_peer else fields

    def accepted(self, response: Response, now: float) -> None:
        """A 2xx to such a request of ours (§7.2): who refreshes, and how often."""
        agreed = _expires_of(response)
        if agreed is None:
            self._on(On.UNKNOWN, now)
            return
        self.interval_s = max(agreed.value, _LEAST_INTERVAL_S)
        self._on(On.THEIRS if agreed.refresher == "uas" else On.OURS, now)

    def raised_by(self, response: Response) -> bool:
        """A 422 named a longer interval that we ask for from now on (§7.4); False when there is nothing to repeat."""
        least = _min_se_of(response)
        if least <= self.interval_s or self._raises >= _MOST_RAISES:
            return False
        self._raises += 1
        self.min_se_s = max(self.min_se_s, least)
        self.interval_s = max(self.interval_s, least)
        self._wanted_s = max(self._wanted_s, least)
        return True

    @property
    def is_agreed(self) -> bool:
        """The session is answered: the timer runs."""
        return self.state is not State.OFF

    # --- time -------------------------------------------------------------------------------------------------

    def due(self, now: float) -> On | None:
        """What has to be done now: REFRESH, EXPIRED or nothing."""
        for on, at in ((On.EXPIRED, self._expires_at), (On.REFRESH, self._refresh_at)):
            if at is not None and now >= at:
                self._on(on, now)
                return on
        return None

    def busy(self, now: float) -> None:
        """A refresh is not possible at the moment."""
        self._refresh_at = now + _BUSY_S
        self._set_deadline()

    def refused(self, now: float) -> None:
        """The peer answered our refresh, but not with 2xx."""
        self._on(On.REFUSED, now)

    def stop(self, now: float) -> None:
        self._on(On.STOP, now)

    def _on(self, on: On, now: float) -> None:
        row = TABLE.index[self.state][on] or TABLE.row(self.state, on)
        if row is not None:
            self.state = row.to
            getattr(self, row.do)(now)
            self._set_deadline()

    def _set_deadline(self) -> None:
        self.deadline = min((at for at in (self._refresh_at, self._expires_at) if at is not None), default=None)

    def _refresh_and_expire(self, now: float) -> None:
        self._expire_only(now)
        self._refresh_at = now + self.interval_s / 2

    def _expire_only(self, now: float) -> None:
        """The BYE goes out before the end: by a third of the interval, by 32 s at most (§10)."""
        self._refresh_at = None
        self._expires_at = now + self.interval_s - min(32.0, self.interval_s / 3)

    def _refresh_only(self, now: float) -> None:
        self._expires_at = None
        self._refresh_at = now + self.interval_s / 2

    def _try_again(self, now: float) -> None:
        """Once more after half of the time that is left."""
        left = self.interval_s / 2 if self._expires_at is None else (self._expires_at - now) / 2
        self._refresh_at = now + max(left, _BUSY_S)

    def _stop(self, now: float) -> None:
        self._refresh_at = self._expires_at = None


def knows_timers(message: Message) -> bool:
    """The sender supports this extension."""
    words = (*message.headers.values("supported"), *message.headers.values("require"))
    return any(word.strip().lower() == OPTION for word in words)


def is_too_brief(request: Request, min_se_s: int) -> bool:
    """The request asks for a shorter interval than we take, and its sender understands a 422 (§9)."""
    asked = request.headers.first(SessionExpires)
    return asked is not None and asked.value < min_se_s and knows_timers(request)


def _expires_of(message: Message) -> SessionExpires | None:
    try:
        return message.headers.first(SessionExpires)
    except ParseError:
        return None


def _min_se_of(message: Message) -> int:
    try:
        found = message.headers.first(MinSE)
    except ParseError:
        return 0
    return found.value if found is not None else 0
