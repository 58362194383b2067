"""How packets get from one member of a room to another: a pure choice over what was negotiated.

Two members are relayed when what each of them sends can go over: unchanged when the other side has the same encoding,
by table between the two laws of G.711. Whatever else can be decoded is mixed. telephone-event (RFC 4733) goes over when
the other side has it at the same clock rate, otherwise the digit is pressed anew. Everything is remembered, because the
same few offers come again and again.
"""

from functools import lru_cache

from frozen import dataclass
from media.api import Payload
from media.codec.catalogue import coding_of
from media.engine.tables import PayloadTable, RouteTable
from media.rtp.emodel import impairment_of

EVENT, OTHER, AUDIO, COMFORT = 1, 2, 3, 4
RELAY, TO_ALAW, TO_ULAW = 1, 2, 3

OTHER_LAW = {"PCMU": ("PCMA", TO_ALAW), "PCMA": ("PCMU", TO_ULAW)}

Payloads = tuple[Payload, ...]
Routes = tuple[tuple[int, int, int], ...]


def kind_of(payload: Payload) -> int:
    name = payload.name.upper()
    if name == "TELEPHONE-EVENT":
        return EVENT
    if name == "CN":
        return COMFORT
    return AUDIO if coding_of(payload) is not None else OTHER


def encoding_of(payload: Payload) -> tuple[str, int, int]:
    """What two payloads must share to be the same; names compare without case (RFC 4855 §3)."""
    return payload.name.upper(), payload.clock_rate, payload.channels


def event_payload(payloads: Payloads) -> Payload | None:
    """The telephone-event type that goes with the preferred encoding: the one of its clock rate, else any."""
    events = [payload for payload in payloads if kind_of(payload) == EVENT]
    return next(
        (event for event in events if event.clock_rate == payloads[0].clock_rate), events[0] if events else None
    )


def spoken_payload(payloads: Payloads) -> Payload | None:
    """The first encoding that the engine can produce itself."""
    return next((payload for payload in payloads if coding_of(payload) is not None), None)


def choose_routes(source: Payloads, sink: Payloads) -> Routes:
    """(payload type, action, outgoing payload type) for everything of `source` that `sink` can be given."""
    outgoing = {encoding_of(payload): payload.number for payload in reversed(sink)}
    routes = []
    for payload in source:
        same = encoding_of(payload)
        name, *rest = same
        other, action = OTHER_LAW.get(name, ("", RELAY))
        if same in outgoing:
            routes.append((payload.number, RELAY, outgoing[same]))
        elif (other, *rest) in outgoing:
            routes.append((payload.number, action, outgoing[(other, rest[0], rest[1])]))
    return tuple(routes)


def idle_packet(payloads: Payloads) -> tuple[int, int]:
    """Payload type and size of what keeps a way through NAT open (RFC 6263): comfort noise when it was negotiated, else
    an empty packet of a type that was not."""
    noise = next((each.number for each in payloads if encoding_of(each) == ("CN", 8000, 1)), None)
    if noise is not None:
        return noise, 1
    taken = {payload.number for payload in payloads}
    return next(number for number in range(127, 95, -1) if number not in taken), 0


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Everything that follows from a list of payloads. One object for each list: compared by identity."""

    payloads: Payloads
    table: PayloadTable
    event: Payload | None
    spoken: Payload | None


@lru_cache(maxsize=1024)
def profile_of(payloads: Payloads) -> Profile:
    event, spoken = event_payload(payloads), spoken_payload(payloads)
    entries = tuple((payload.number, kind_of(payload), payload.clock_rate) for payload in payloads)
    table = PayloadTable(
        entries,
        spoken.number if spoken else -1,
        event.number if event else -1,
        event.clock_rate if event else 0,
        idle_packet(payloads),
        impairment_of(payloads[0].name),
    )
    return Profile(payloads, table, event, spoken)


NO_PAYLOADS = Profile((), PayloadTable((), -1, -1, 0, (0, 0), (0.0, 1.0)), None, None)  # of what is no RTP


def passed_routes(source: Payloads, sink: Payloads) -> Routes:
    """The same for what is passed on as it is: of several payload types of one encoding that with the same parameters,
    else the first."""
    routes = []
    for payload in source:
        alike = [each for each in sink if encoding_of(each) == encoding_of(payload)]
        same = next((each for each in alike if each.fmtp == payload.fmtp), alike[0] if alike else None)
        if same is not None:
            routes.append((payload.number, RELAY, same.number))
    return tuple(routes)


@lru_cache(maxsize=1024)
def passed_table(source: Profile, sink: Profile) -> RouteTable:
    return RouteTable(passed_routes(source.payloads, sink.payloads))


@lru_cache(maxsize=4096)
def route_table(source: Profile, sink: Profile) -> RouteTable:
    return RouteTable(choose_routes(source.payloads, sink.payloads))


@dataclass(frozen=True, slots=True)
class Side:
    """One of two members: what it may send and receive, the payload type that it sends now (None: nothing that can be
    decoded), how long it wants its packets, whether its digits are tones in the audio, and whether it keeps them."""

    profile: Profile
    sends: Payload | None
    ptime_ms: int
    tones: bool = False
    keeps_digits: bool = False


@lru_cache(maxsize=4096)
def goes_over(source: Side, sink: Side) -> bool:
    """What `source` sends needs no conversion for `sink`, or there is none. Tones are for those whose digits are tones
    too; for anybody else they are taken out, and so are those that the source keeps."""
    if source.sends is None or sink.profile.spoken is None:
        return True
    if source.tones and (source.keeps_digits or not sink.tones):
        return False
    routes = choose_routes(source.profile.payloads, sink.profile.payloads)
    return source.ptime_ms == sink.ptime_ms and any(number == source.sends.number for number, _, _ in routes)
