"""One target for each parser: octets in; a value or a ParseError (or what else is promised) out, nothing else ever.

A target looks at what it got as call control would: it prints values, asks for every decoded part, parses again.
"""

import contextlib
from collections.abc import Callable

import sipcore.headers as headers
from media.api import DtlsPeer, HostPort, IceSpec
from media.files.bad import BadSound
from media.files.wav import is_wav, parse_wav
from media.webrtc.dtls import Association
from media.webrtc.ice import LiteAgent
from media.webrtc.stun import read_stun
from pbx.gate import Gate
from pbx.refusal import sketch, top_of, unavailable
from pbx.sipmask import call_id_of, masked
from pbx.stir.credentials import _ranges
from pbx.stir.passport import SignedPassport
from sipcore import glance, glance_ref, usual_ref
from sipcore import usual as compiled
from sipcore.auth.digest import answer, choose, ha1, verify
from sipcore.auth.nonce import NonceMaker
from sipcore.body import MIXED, joined, parts_of, read_session, session_of
from sipcore.build import response_to
from sipcore.dialog.info import digit_of
from sipcore.dialog.referral import Referral
from sipcore.errors import FramingError, ParseError, RemoteProtocolError
from sipcore.flow import Flow
from sipcore.framing import Ping, StreamFramer
from sipcore.headers import Authorization, Contact, ProxyAuthenticate, WwwAuthenticate
from sipcore.message import Message, Request
from sipcore.overload import OverloadReport
from sipcore.params import Params
from sipcore.parse import MalformedMessage, parse_any, parse_message
from sipcore.presence.dialog_info import DialogParty, DialogView, dialog_info
from sipcore.presence.pidf import pidf
from sipcore.presence.pidf_read import parse_pidf
from sipcore.sdp.crypto import SUITES, Crypto, read_crypto
from sipcore.sdp.dtls import Fingerprint, read_fingerprint
from sipcore.sdp.ice import Ice, read_candidate, read_fragment
from sipcore.sdp.model import Direction
from sipcore.sdp.negotiate import make_answer, make_offer, read_answer, revise
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.sections import LocalMedia
from sipcore.sdp.security import Offering, Security
from sipcore.sdp.write import write_sdp
from sipcore.stun import binding_response
from sipcore.transport.ws_layer import OriginPolicy, WebSocketLayer
from sipcore.uri import SipUri, parse_uri
from tests.fuzz.packets import rtcp, rtp
from tests.fuzz.sounds import sound
from tests.fuzz.voice import comfort, voice
from tests.sipcore.test_glance import seen as facts_of
from tests.sipcore.test_usual import outcome
from tests.support.builders import FORMATS
from tests.support.stranger import Bench
from tests.support.watcher import lamps

Target = Callable[[bytes], object]
KINDS: tuple[type[headers.Header], ...] = tuple(
    value
    for name in headers.__all__
    if isinstance(value := getattr(headers, name), type) and hasattr(value, "NAME") and value is not headers.Header
)
FLOW = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.9", 5060))
OURS = tuple(FORMATS.values())
ICE = IceSpec("ours", "p" * 24, "theirs", "q" * 24)
FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))
KEYS = tuple(Crypto(tag, suite, bytes(length)) for tag, (suite, length) in enumerate(SUITES.items(), 1))
SECURITIES = (
    Security(Offering.DTLS, takes_dtls=True, fingerprint=FINGERPRINT, ice=Ice("ours", "p" * 24, True)),
    Security(Offering.KEYED, takes_plain=False, takes_keys=True, keys=KEYS),
    Security(Offering.OPTIONAL, takes_keys=True, keys=KEYS),
)
LOCAL = LocalMedia("10.0.0.1", 4000)
MIXED_HEAD = (
    b"INVITE sip:102@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:101@h>;tag=1\r\n"
    b"To: <sip:102@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"
)
SECRET = ha1("101", "zvon", "secret")
NONCES = NonceMaker(bytes(32))
GATE = Gate(lambda: 0.0, lambda key: False, ("friendly-scanner",), now=lambda: 0.0)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def message(data: bytes) -> object:
    """A datagram, every header that we know in it, and the answer to it."""
    try:
        found = parse_message(data)
    except MalformedMessage as error:
        return (error.reason, error.status, len(error.headers))
    _look_at(found)
    again = parse_message(bytes(found))
    assert (again.from_, again.to, again.cseq, again.call_id) == (found.from_, found.to, found.cseq, found.call_id)
    assert again.body == found.body
    return found


def _look_at(found: Message) -> None:
    _ = (found.via, found.from_.tag, found.to.tag, found.cseq, found.call_id, found.content_type)
    for kind in KINDS:
        with contextlib.suppress(ParseError):
            for value in found.headers.all(kind):
                assert not set("\r\n\0") & set(str(value))
    if isinstance(found, Request):
        bytes(response_to(found, 400, to_tag="t"))
        found.note_source("192.0.2.1", 5060)
        with contextlib.suppress(ParseError):
            read_session(found)
        with contextlib.suppress(ParseError):
            Referral.of(found)
        with contextlib.suppress(ParseError):
            for each in found.headers.all(Contact):
                _ = (each.q, each.expires, each.instance, each.reg_id, each.is_star)


def body(data: bytes) -> object:
    """Several parts, separated by the line `--b`: read, written, read again."""
    request = parse_message(MIXED_HEAD + data)
    assert isinstance(request, Request)
    assert isinstance(session_of(request), bytes)
    try:
        found = parts_of(request)
    except ParseError:
        return None
    with contextlib.suppress(ParseError):
        assert read_session(request) == session_of(request)
    whole = joined(found, "a-boundary-of-our-own")
    kind = f"Content-Type: {MIXED};boundary=a-boundary-of-our-own\r\n\r\n".encode()
    again = parse_message(MIXED_HEAD.replace(MIXED_HEAD[MIXED_HEAD.index(b"Content-Type") :], kind) + whole)
    assert [each.body for each in parts_of(again)] == [each.body for each in found]
    return found


def stream(data: bytes) -> object:
    """Octets of a connection: the same messages and the same end however they are cut. The first octet says how."""
    if not data:
        return None
    size, data = data[0] + 1, data[1:]
    whole = _framed([data])
    assert _framed([data[at : at + size] for at in range(0, len(data), size)]) == whole
    return whole


def _framed(parts: list[bytes]) -> tuple[list[bytes], str]:
    """The messages, and what broke the stream; pings depend on the cuts."""
    framer, found = StreamFramer(), list[bytes]()
    try:
        for part in parts:
            for item in framer.feed(part):
                if not isinstance(item, Ping):
                    found.append(item)
    except FramingError as error:
        MalformedMessage.of_head(error)
        return found, error.reason
    return found, ""


def stack(data: bytes) -> object:
    """The whole stack: an event, a response, a counted drop."""
    bench = Bench()
    bench.stack.receive(data, FLOW, bench.now)
    for sent, _ in bench.stack.outgoing():
        assert sent.startswith(b"SIP/2.0 "), "nothing but a response comes of what a stranger sends"
    return bench.events()


def uri(data: bytes) -> object:
    text = _text(data)
    try:
        found = parse_uri(text)
    except ParseError:
        return None
    printed = str(found)
    assert not set("\r\n\0") & set(printed)
    again = parse_uri(printed)
    assert str(again) == printed
    assert again.equivalent(again)
    if isinstance(found, SipUri):
        _ = (found.aor(), found.transport, found.secure, found.equivalent(again))
    return found


def header(data: bytes) -> object:
    """The first octet chooses the header, the rest is its value."""
    if not data:
        return None
    kind, text = KINDS[data[0] % len(KINDS)], _text(data[1:])
    try:
        found = kind.parse(text)
    except ParseError:
        return None
    printed = str(found)
    assert not set("\r\n\0") & set(printed)
    printed.encode()
    again = kind.parse(printed)
    assert str(kind.parse(str(again))) == str(again)
    return found


def params(data: bytes) -> object:
    try:
        found = Params.parse(_text(data))
    except ParseError:
        return None
    for name, _ in found:
        _ = found.get(name)
    return Params.parse(str(found))


def sdp(data: bytes) -> object:
    """A description, as an offer, as an answer, as a later offer."""
    try:
        found = parse_sdp(data)
    except ParseError:
        return None
    written = write_sdp(found)
    assert parse_sdp(written) == parse_sdp(write_sdp(parse_sdp(written)))
    for section in found.media:
        _ = (section.formats, section.direction, section.ptime_ms, section.maxptime_ms, section.rtcp, section.rtcp_mux)
    accepted = make_answer(found, LOCAL, OURS, session_id=1)
    if accepted is not None:
        parse_sdp(write_sdp(accepted.description))
    offer = make_offer(LOCAL, OURS, session_id=1, direction=Direction.SENDRECV, previous=found)
    parse_sdp(write_sdp(revise(found, offer)))
    with contextlib.suppress(RemoteProtocolError):
        read_answer(offer, found)
    return found


def presence(data: bytes) -> object:
    """What a phone publishes, and what its watchers get of it."""
    try:
        found = parse_pidf(data)
    except ParseError:
        return None
    made = pidf("sip:102@10.0.0.1", is_open=found.is_open is not False, activities=found.activities, note=found.note)
    told = parse_pidf(made)
    assert told.activities == found.activities
    return told


def passport(data: bytes) -> object:
    """Who signs for a number; and the numbers of a certificate."""
    _ranges(data)
    try:
        found = SignedPassport.parse(_text(data))
    except ParseError:
        return None
    assert not set("\r\n\0") & set(str(found))
    return SignedPassport.parse(str(found))


def lamp(data: bytes) -> object:
    """A dialog-info document with whatever callers are named, as a phone reads it."""
    name, _, uri = _text(data).partition("\n")
    party = DialogParty(uri, name)
    (told,) = lamps(dialog_info(uri, 1, [DialogView(name, "early", "recipient", party, party, True, uri, (name, uri))]))
    assert (told.state, told.direction, told.held) == ("early", "recipient", True)
    assert set(told.name) <= {*name, " "}, "nothing is put in"
    return told


def digest(data: bytes) -> object:
    """Credentials are judged; a challenge is answered, and the answer is understood."""
    text = _text(data)
    with contextlib.suppress(ParseError):
        given = Authorization.parse(text)
        verify(given, SECRET, "REGISTER")
        NONCES.check(given.nonce, 1e9)
        _ = given.count
    found = []
    for kind in (WwwAuthenticate, ProxyAuthenticate):
        with contextlib.suppress(ParseError):
            found.append(kind.parse(text))
    challenge = choose(found)
    if challenge is None:
        return None
    made = answer(challenge, "101", "secret", "INVITE", "sip:102@10.0.0.1", "c", 1)
    return Authorization.parse(str(made))


def gate(data: bytes) -> object:
    """What looks at octets before the parser does; a refusal made there is a response."""
    GATE.judge(data, FLOW)
    request = sketch(data)
    top = top_of(request, FLOW, OverloadReport(30, 1.0)) if request is not None else None
    if request is None or top is None:
        return None
    with contextlib.suppress(MalformedMessage):  # a From that no parser takes stands in it as it came
        return parse_message(unavailable(request, top, 5))
    return None


def trace(data: bytes) -> object:
    """What is kept for people: secrets are covered, nothing moves."""
    covered = masked(data)
    assert len(covered) == len(data)
    assert masked(covered) == covered
    return call_id_of(data)


def usual(data: bytes) -> object:
    """The compiled reader, its reference and the parser of all forms are of one opinion."""
    found = compiled.read(data, 16384, 256)
    assert found == usual_ref.read(data, 16384, 256)
    if found is None:
        return None
    assert outcome(parse_message, data) == outcome(parse_any, data)
    text, fields = data[:60].decode("latin-1"), found[2]
    assert compiled.write(text, fields, data) == usual_ref.write(text, fields, data)
    return found


def seen(data: bytes) -> object:
    """What is seen at a glance, compiled and plain; answers made of it are responses."""
    look = glance.glance(data)
    assert facts_of(look) == facts_of(glance_ref.glance(data))
    answer = look.answer(FLOW, b"SIP/2.0 503 Service Unavailable", b"t", b"") if look is not None else None
    return None if answer is None or (look is not None and look.is_in_dialog) else parse_message(answer)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: pbx\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)


def websocket(data: bytes) -> object:
    """A browser's connection: from its first octet, or from the end of a good handshake (first octet odd)."""
    layer = WebSocketLayer(OriginPolicy())
    found = []
    for part in [HANDSHAKE, data[1:]] if data[:1] and data[0] & 1 else [data[1:]]:
        if part and not layer.is_over and layer.broken is None:
            found += list(layer.receive(part))
            layer.take()
    layer.end()
    layer.take()
    return found


def stun(data: bytes) -> object:
    """A keep-alive; an answer is no longer than a packet and none to an answer."""
    found = binding_response(data, "192.0.2.1", 5060)
    if found is not None:
        assert len(found) <= 548
        assert binding_response(found, "192.0.2.1", 5060) is None
    return found


def digit(data: bytes) -> object:
    """The body of an INFO."""
    try:
        found = digit_of(data)
    except ParseError:
        return None
    assert found in ("", *"0123456789*#ABCD")
    return found


def wav(data: bytes) -> object:
    """A sound file: samples between -1 and 1, or a sentence."""
    if not is_wav(data):
        return None
    try:
        sound = parse_wav("fuzz.wav", data)
    except BadSound:
        return None
    frames = 0
    for block in sound.blocks():
        assert abs(block).max() <= 1
        frames += len(block)
    assert frames == sound.frames
    return frames


def media_path(data: bytes) -> object:
    """What anybody can send to an RTP port of a browser's call before it is encrypted: STUN, DTLS."""
    verdict = LiteAgent(ICE).receive(data, HostPort("192.0.2.9", 4000))
    assert not verdict.is_chosen, "nobody knows the password"
    found = read_stun(data)
    association = Association(DtlsPeer((("sha-256", "00"),), is_client=False))
    association.receive(data)
    association.outgoing()
    assert association.keys is None
    return found


def secrets(data: bytes) -> object:
    """Attributes of encrypted streams, and descriptions that hold them: taken by who can do everything."""
    text = _text(data)
    found = (read_crypto(text), read_fingerprint(text), read_candidate(text))
    with contextlib.suppress(ParseError):
        read_fragment(data)
    with contextlib.suppress(ParseError):
        offer = parse_sdp(data)
        for security in SECURITIES:
            accepted = make_answer(offer, LocalMedia("10.0.0.1", 4000, security=security), OURS, session_id=1)
            if accepted is not None:
                parse_sdp(write_sdp(accepted.description))
            with contextlib.suppress(RemoteProtocolError):
                own = make_offer(LocalMedia("10.0.0.1", 4000, security=security), OURS, session_id=1)
                read_answer(own, offer, security)
    return found


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        *(message, usual, seen, body, stream, stack, uri, header, params, sdp),
        *(presence, lamp, passport, digest, gate, trace, websocket, stun, digit, wav, media_path, secrets),
        *(voice, comfort, rtp, rtcp, sound),
    )
}
