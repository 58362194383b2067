"""What is looked at before a request is processed: RFC 3261 §8.2.1 method inspection, §8.2.2 header inspection."""

from dataclasses import replace

from sipcore.build import Extra
from sipcore.dialog.profile import ALLOW
from sipcore.dialog.session_timer import is_too_brief
from sipcore.errors import ParseError
from sipcore.flow import Flow
from sipcore.headers import RecordRoute
from sipcore.message import Request, Sent
from sipcore.stack_config import KNOWN_METHODS, StackConfig
from sipcore.uri import same_host

KEEPALIVES = (b"", b"\r\n", b"\r\n\r\n", b"\x00", b"\x00\x00\x00\x00")


def refusal(request: Request, config: StackConfig, extensions: frozenset[str]) -> tuple[int, Extra]:
    """What every UAS refuses whoever asks (§8.2.1-8.2.2, §16.3): a status and headers for it, status 0 for nothing."""
    try:
        return _refusal(request, config, extensions)
    except ParseError:
        return 400, ()


def _refusal(request: Request, config: StackConfig, extensions: frozenset[str]) -> tuple[int, Extra]:
    headers = request.headers
    hops = headers.get("max-forwards")
    if hops is not None and (not hops.isascii() or not hops.isdigit() or len(hops) > 4):
        return 400, ()
    if request.method not in KNOWN_METHODS:
        return 501, [("Allow", ALLOW)]
    if getattr(request.uri, "scheme", "") not in ("sip", "sips", "tel"):
        return 416, ()
    if "require" in headers:
        extensions = extensions | config.further.get(request.method, frozenset())
        unknown = [token for token in headers.values("require") if token.strip().lower() not in extensions]
        if unknown:
            return 420, [("Unsupported", ", ".join(unknown))]
    return _refusal_of_refresh(request, config) if request.method in ("INVITE", "UPDATE") else (0, ())


def _refusal_of_refresh(request: Request, config: StackConfig) -> tuple[int, Extra]:
    headers = request.headers
    _ = request.contact, headers.all(RecordRoute)  # what a dialog is made of has to be readable
    least = config.min_se_s
    if config.session_expires_s and "session-expires" in headers and is_too_brief(request, least):
        return 422, [("Min-SE", least)]
    return 0, ()


def is_cancel_of(cancel: Request, invite: Request) -> bool:
    """Whether it was made of that INVITE: the same Call-ID, tags and CSeq number (§9.1). A branch alone may be guessed
    or used twice."""
    return (cancel.call_id, cancel.from_tag, cancel.to_tag, cancel.cseq.number) == (
        invite.call_id,
        invite.from_tag,
        invite.to_tag,
        invite.cseq.number,
    )


def reply_flow(sent: Sent, flow: Flow) -> Flow:
    """Where responses go: to the source (RFC 3581 §4), which also serves phones behind NAT that do not ask for it; a
    peer that is not behind NAT, does not ask and listens elsewhere is answered at its sent-by port (§18.2.2)."""
    host, given_port, _, rport = sent
    if rport is not None or flow.reliable or not same_host(host, flow.remote[0]):
        return flow
    port = int(given_port or 5060)
    return flow if port == flow.remote[1] else replace(flow, remote=(flow.remote[0], port))


def phrase(reason: str) -> str:
    """A reason phrase from our own words: printable ASCII on one line."""
    return "".join(char for char in reason if " " <= char <= "~")[:100]
