"""A traced call as a ladder: peers and Zvon as columns, a row for each message, and what its media was.

Nothing here trusts the messages: what cannot be read is shown as its first line.
"""

from collections.abc import Iterator, Sequence

from frozen import dataclass
from pbx.control.messages import TracedLegView, TracedMessageView, TraceView
from pbx.media_doctor import LegSound, diagnosis
from pbx.sipmask import call_id_of
from sipcore.body import session_of
from sipcore.errors import ParseError
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from sipcore.sdp.model import MediaSection, SessionDescription
from sipcore.sdp.parse import parse_sdp

WIDTH = 32  # characters from one column to the next
MARGIN = 12  # before the first column: the time
US = "Zvon"
_NOTED = ("Reason", "Retry-After", "Warning", "Refer-To", "Replaces", "Event", "Subscription-State")


@dataclass(frozen=True, slots=True)
class Step:
    """One message, read for people. `peer` is `host:port` of the other end; `call_id` as text."""

    at: float
    offset_s: float
    peer: str
    transport: str
    inbound: bool
    summary: str
    notes: tuple[str, ...]
    call_id: str
    is_retransmission: bool


def steps(trace: TraceView) -> list[Step]:
    """Every message of the trace, in order."""
    seen: set[tuple[bytes, tuple[str, int], bool]] = set()
    start = trace.messages[0].sent_at if trace.messages else 0.0
    found = []
    for view in trace.messages:
        key = (view.data, view.remote, view.inbound)
        found.append(_step(view, start, key in seen))
        seen.add(key)
    return found


def _step(view: TracedMessageView, start: float, again: bool) -> Step:
    message = _read(view.data)
    summary = _summary(message) if message is not None else _first_line(view.data)
    notes = (*(["retransmission"] if again else ()), *(_notes(message) if message is not None else ()))
    call_id = printable(call_id_of(view.data).decode("utf-8", "replace"))
    offset_s = round(view.sent_at - start, 4)
    return Step(view.sent_at, offset_s, _peer(view), view.transport, view.inbound, summary, notes, call_id, again)


def _read(data: bytes) -> Request | Response | None:
    try:
        return parse_message(data)
    except ParseError:
        return None


def _summary(message: Request | Response) -> str:
    if isinstance(message, Request):
        return printable(message.method)
    return printable(f"{message.status} {message.reason} ({message.cseq.method})")


def _notes(message: Request | Response) -> Iterator[str]:
    if isinstance(message, Request) and message.method in ("INVITE", "REFER", "MESSAGE", "REGISTER"):
        yield printable(str(message.uri))
    description = _description(message)
    if description is not None:
        yield _sdp_note(description)
    for name in _NOTED:
        value = message.headers.get(name.lower())
        if value:
            yield printable(f"{name}: {value}")


def _description(message: Request | Response) -> SessionDescription | None:
    try:
        return parse_sdp(sdp) if (sdp := session_of(message)) else None
    except ParseError:
        return None


def _sdp_note(description: SessionDescription) -> str:
    return "SDP " + (", ".join(_section(description, each) for each in description.media) or "without media")


def _section(description: SessionDescription, section: MediaSection) -> str:
    codecs = "/".join(each.name for each in section.formats if each.is_audio) or "/".join(section.payloads)
    if not section.port:
        return printable(f"{section.media} off")
    direction = description.effective_direction(section).value
    shown = "" if direction == "sendrecv" else f" {direction}"
    return printable(f"{section.media} {codecs} at {host_port((description.address_of(section), section.port))}{shown}")


# --- the picture ---------------------------------------------------------------------------------------------------


def ladder(trace: TraceView) -> list[str]:
    """The lines of the picture, with the media of each leg below it."""
    shown = steps(trace)
    columns = _columns(shown)
    lines = [_heading(columns), _lifelines(columns)]
    lines += [_row(step, columns) for step in shown]
    lines.append(_lifelines(columns))
    media = list(media_lines(trace))
    found = diagnosis(sounds(trace))
    return [*lines, *([""] if media else []), *media, *([""] if found else []), *found]


def _columns(shown: Sequence[Step]) -> list[str]:
    """Who is where: the peer of the first message, Zvon, the others as they appear."""
    peers = list(dict.fromkeys(step.peer for step in shown))
    return [*peers[:1], US, *peers[1:]]


def _at(column: int) -> int:
    return MARGIN + WIDTH * column


def _heading(columns: Sequence[str]) -> str:
    line = " " * (MARGIN - 8)
    for column, name in enumerate(columns):
        start = max(_at(column) - len(name) // 2, len(line) + (1 if column else 0))
        line = line.ljust(start) + name
    return line.rstrip()


def _lifelines(columns: Sequence[str], time: str = "") -> str:
    line = time.ljust(MARGIN)
    for column in range(len(columns)):
        line = line.ljust(_at(column)) + "|"
    return line


def _row(step: Step, columns: Sequence[str]) -> str:
    ours, theirs = columns.index(US), columns.index(step.peer)
    source, target = (theirs, ours) if step.inbound else (ours, theirs)
    left, right = sorted((_at(source), _at(target)))
    line = _lifelines(columns, f"{step.offset_s:9.3f}")
    line = line[: left + 1] + _arrow(step.summary, right - left - 1, target > source) + line[right:]
    return f"{line}  {'; '.join(step.notes)}".rstrip()


def _arrow(label: str, length: int, to_the_right: bool) -> str:
    most = length - 6
    shown = label if len(label) <= most else label[: most - 1] + "~"
    shaft = f" {shown} ".center(length - 1, "-")
    return shaft + ">" if to_the_right else "<" + shaft


# --- media ---------------------------------------------------------------------------------------------------------


def media_lines(trace: TraceView) -> Iterator[str]:
    """One line for each leg of the call, and one for its ups and downs."""
    for leg in trace.legs:
        codec, remote = media_of(trace, leg.sip_call_id)
        parts = [f"{leg.direction} leg {_name(leg)}", *([codec] if codec else []), *_places(leg, remote)]
        yield printable(", ".join([*parts, _measured(leg)]))
        yield from _course(leg)


def sounds(trace: TraceView) -> list[LegSound]:
    """The legs for the diagnosis."""
    return [
        LegSound(printable(_name(leg)), leg.quality, media_of(trace, leg.sip_call_id)[1], leg.audio_from)
        for leg in trace.legs
    ]


def _name(leg: TracedLegView) -> str:
    return f"{leg.number} {leg.name}".rstrip()


def _places(leg: TracedLegView, remote: str) -> Iterator[str]:
    if remote:
        yield f"audio at {remote}"
    if leg.audio_from and leg.audio_from != remote:
        yield f"audio from {leg.audio_from}"


def media_of(trace: TraceView, call_id: str) -> tuple[str, str]:
    """The codec that was agreed on last in a dialog, and where the peer wanted its audio; empty when unknown."""
    codec = remote = ""
    for view in trace.messages:
        if call_id_of(view.data).decode("utf-8", "surrogateescape") != call_id:
            continue
        message = _read(view.data)
        description = _description(message) if message is not None else None
        section = next((each for each in description.media if each.media == "audio"), None) if description else None
        if description is None or section is None:
            continue
        codec = next((f"{each.name}/{each.clock_rate}" for each in section.formats if each.is_audio), codec)
        if view.inbound:
            remote = host_port((description.address_of(section), section.port))
    return codec, remote


def _measured(leg: TracedLegView) -> str:
    quality = leg.quality
    if not quality:
        return "no figures of its audio (not answered)"
    shown = [
        f"{quality.get('received', 0):.0f} packets received",
        f"{quality.get('sent', 0):.0f} sent",
        f"{quality.get('lost', 0):.0f} lost",
        f"jitter {quality.get('jitter_ms', 0):.1f} ms",
    ]
    if "round_trip_ms" in quality:
        shown.append(f"round trip {quality['round_trip_ms']:.0f} ms")
    if "mos" in quality:
        shown.append(f"MOS {quality['mos']:.1f}")
    if "remote_mos" in quality:
        shown.append(f"there {quality['remote_loss_percent']:.1f} % lost, MOS {quality['remote_mos']:.1f}")
    return ", ".join(shown)


def _course(leg: TracedLegView) -> Iterator[str]:
    """A digit for each five seconds: the MOS, `-` when nothing came."""
    if not leg.intervals:
        return
    heard = "".join(_digit(each.mos) for each in leg.intervals)
    there = "".join(_digit(each.remote_mos) for each in leg.intervals)
    yield f"    MOS by 5 s {heard}"
    if there.strip("-"):
        yield f"    and there  {there}"


def _digit(mos: float | None) -> str:
    return "-" if mos is None else f"{mos:.0f}"


# --- text ----------------------------------------------------------------------------------------------------------


def host_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def printable(text: str) -> str:
    """What came over the network cannot move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _peer(view: TracedMessageView) -> str:
    return host_port(view.remote)


def _first_line(data: bytes) -> str:
    line = data.split(b"\r\n", 1)[0][:60].decode("utf-8", "replace")
    return printable(f"not SIP: {line}")
