"""Small makers of what tests feed in: terminals, session descriptions."""

from collections.abc import Sequence

from media.api import ConfigureEndpoint, StreamSpec
from pbx.media_session import MediaSession
from sipcore.sdp.model import Direction, RtpFormat, SessionDescription
from sipcore.sdp.parse import parse_sdp
from storage.records import Terminal

FORMATS = {
    "PCMU": RtpFormat(0, "PCMU"),
    "PCMA": RtpFormat(8, "PCMA"),
    "G722": RtpFormat(9, "G722"),
    "iLBC": RtpFormat(97, "iLBC"),
    "telephone-event": RtpFormat(101, "telephone-event", fmtp="0-16"),
    "opus": RtpFormat(111, "opus", 48000, 2),
}
BASIC = ("PCMA", "PCMU", "telephone-event")


def spec_of(media: MediaSession) -> StreamSpec:
    """What the engine is told of the sound of a leg."""
    commands = [each for each in media.configuring() if isinstance(each, ConfigureEndpoint)]
    (spec,) = [each.spec for each in commands if each.endpoint == media.endpoint]
    return spec


def terminal(number: str, **settings: object) -> Terminal:
    """A terminal whose password is its number with a prefix."""
    return Terminal(**({"number": number, "password": f"Secret-{number}"} | settings))  # type: ignore[arg-type]


def sdp(
    host: str,
    port: int,
    formats: Sequence[RtpFormat | str] = BASIC,
    *,
    direction: str = "sendrecv",
    version: int = 1,
    connection: str = "",
) -> bytes:
    """A description of one audio stream, as a phone writes it."""
    chosen = [FORMATS[each] if isinstance(each, str) else each for each in formats]
    lines = [
        "v=0",
        f"o=phone 7 {version} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {connection or host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(str(each.number) for each in chosen)}",
    ]
    for each in chosen:
        channels = f"/{each.channels}" if each.channels > 1 else ""
        lines.append(f"a=rtpmap:{each.number} {each.name}/{each.clock_rate}{channels}")
        if each.fmtp:
            lines.append(f"a=fmtp:{each.number} {each.fmtp}")
    return ("\r\n".join([*lines, f"a={direction}"]) + "\r\n").encode()


def answer_sdp(offer: bytes, host: str, port: int, codecs: Sequence[str], *, version: int = 1) -> bytes | None:
    """What a phone with these codecs (its favourite first) answers; None when it knows none of those offered."""
    described = parse_sdp(offer)
    offered = described.media[0].formats
    by_name = {each.name.lower(): each for each in reversed(offered)}  # the first of each name
    common = [by_name[name.lower()] for name in codecs if name.lower() in by_name]
    audio = [each for each in common if each.is_audio][:1]
    if not audio:
        return None
    companions = [each for each in common if not each.is_audio and each.clock_rate == audio[0].clock_rate]
    direction = mirrored(described.effective_direction(described.media[0]))
    others = [f"m={each.media} 0 {each.protocol} {' '.join(each.payloads)}\r\n" for each in described.media[1:]]
    answer = sdp(host, port, [*audio, *companions], direction=direction.value, version=version)
    return answer + "".join(others).encode()


def mirrored(direction: Direction) -> Direction:
    """The same stream seen from the other side."""
    return Direction.of(sends=direction.receives, receives=direction.sends)


def described(text: bytes) -> SessionDescription:
    return parse_sdp(text)


def codecs_of(text: bytes) -> list[str]:
    """Encoding names of the first stream, in order."""
    return [each.name for each in parse_sdp(text).media[0].formats]


def direction_of(text: bytes) -> Direction:
    found = parse_sdp(text)
    return found.effective_direction(found.media[0])
