"""Calls that a phone (3xx) or a rule sends on: where they may go, how often, and what the next phone is told of it.

A phone redirects to numbers of the office only (FEAT-10); rules of terminals send calls on in the same way. Each number
is tried once in a call, and a call goes on only so often (FWD-17), so that phones which redirect to each other make no
loop (RFC 3261 §8.1.3.4, RFC 5806 §7).
"""

from dataclasses import replace

from frozen import dataclass
from pbx.addressing import bracketed
from pbx.cause import LOOP, Cause
from pbx.identity import Fields, from_value
from pbx.numbering import wanted_number
from pbx.party import Party
from sipcore.errors import ParseError
from sipcore.headers import Diversion, HistoryInfo
from sipcore.message import Request, Response
from sipcore.uri import SipUri, TelUri, Uri

MOST = 10  # steps before us that are believed
_REASONS = {486: "user-busy", 408: "no-answer", 503: "unavailable"}


@dataclass(frozen=True, slots=True)
class Diverted:
    """One step: `party` sent the call on to the number `to` with that status, `had_rung` first or at once. A rule's
    status is what a phone would have answered (RFC 4458 §2)."""

    party: Party
    to: str
    status: int
    had_rung: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a call came here: steps before us, as a trusted source tells them (newest first), then ours in order; `hops`
    are left to it (RFC 3261 §8.1.1.6): a call that runs in circles through others ends one day. `breadth`: how many
    phones may ring at once for it, where somebody before us counts (RFC 5393 §5.3), and `share` what each is told."""

    diversions: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    steps: tuple[Diverted, ...] = ()
    hops: int = 70
    breadth: int | None = None
    share: int | None = None

    @classmethod
    def of(cls, request: Request, *, is_trusted: bool) -> "Way":
        """What an INVITE says; only a trusted source is believed, and what cannot be read says nothing."""
        left = request.headers.get("max-forwards") or "70"
        hops = min(int(left), 70) - 1
        breadth = _breadth(request.headers.get("max-breadth"))
        if not is_trusted:
            return cls(hops=hops, breadth=breadth)
        try:
            diversions = tuple(map(str, request.headers.all(Diversion)))
            history = tuple(map(str, request.headers.all(HistoryInfo)))
        except ParseError:
            return cls(hops=hops, breadth=breadth)
        return cls(diversions[:MOST], history[: 2 * MOST], hops=hops, breadth=breadth)

    def refusal(self, number: str, first: str, most: int) -> Cause | None:
        """Why the call may not go on to that number; `first` is the one that was dialled, `most` how often calls go
        on at all."""
        is_loop = number in {first, *(step.to for step in self.steps)}
        return LOOP if is_loop or len(self.diversions) + len(self.steps) >= most else None

    def spread(self, phones: int) -> "Way | None":
        """The way on to so many phones at once; None when those are too many."""
        if self.breadth is None:
            return self
        return replace(self, share=self.breadth // phones) if phones <= self.breadth else None

    def limits(self) -> Fields:
        """Max-Forwards, and Max-Breadth where somebody counts."""
        limits = [("Max-Forwards", str(self.hops))]
        return limits if self.share is None else [*limits, ("Max-Breadth", str(self.share))]

    def further(self, step: Diverted) -> "Way":
        return replace(self, steps=(*self.steps, step))

    def fields(self, host: str) -> Fields:
        """Diversion (RFC 5806), the newest first, and History-Info (RFC 7044), the oldest first."""
        if not (self.steps or self.diversions or self.history):
            return []
        ours = [("Diversion", _diversion(step, host)) for step in reversed(self.steps)]
        before = [("Diversion", text) for text in self.diversions]
        return [*ours, *before, *(("History-Info", text) for text in (*self.history, *self._entries(host)))]

    def _entries(self, host: str) -> list[str]:
        if not self.steps:
            return []
        index = HistoryInfo.parse(self.history[-1]).index if self.history else ""
        entries: list[str] = []
        for step in self.steps:
            index = f"{index}.1" if index else "1"
            mapped = ";mp=" + index.rpartition(".")[0] if "." in index and entries else ""
            entries.append(f"{_address(step.party, host, step.status)};index={index}{mapped}")
        last = self.steps[-1]
        entries.append(f"<sip:{last.to}@{bracketed(host)}>;index={index}.1;mp={index}")
        return entries


def redirected_to(response: Response, hosts: set[str]) -> str:
    """The number that a 3xx names first, "" when it is none of ours; `hosts` are the names by which we are known."""
    try:
        contact = response.contact
    except ParseError:
        return ""
    return _number(contact.uri, hosts) if contact is not None and not contact.is_star else ""


def _breadth(text: str | None) -> int | None:
    """What cannot be read counts nothing."""
    return int(text[:3]) if text and text.isascii() and text.isdigit() else None


def _number(uri: Uri, hosts: set[str]) -> str:
    is_ours = isinstance(uri, TelUri) or (isinstance(uri, SipUri) and uri.host.lower() in hosts)
    return wanted_number(uri) if is_ours else ""


def _diversion(step: Diverted, host: str) -> str:
    privacy = "full" if step.party.is_private else "off"
    reason = _REASONS.get(step.status) or ("deflection" if step.had_rung else "unconditional")
    return f"{from_value(step.party, host)};reason={reason};counter=1;privacy={privacy}"


def _address(party: Party, host: str, status: int) -> str:
    """A History-Info entry: the address with the reason for which it was left (RFC 7044 §10.2)."""
    if party.is_private:
        return "<sip:anonymous@anonymous.invalid>"
    return f"<sip:{party.shown_number}@{bracketed(host)}?Reason=SIP%3Bcause%3D{status}>"
