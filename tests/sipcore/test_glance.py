"""What is seen of requests at a glance: the compiled form against its reference, both against parser and stack."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore import glance as compiled
from sipcore import glance_ref
from sipcore.build import response_to
from sipcore.flow import Flow
from sipcore.inspection import reply_flow
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.transaction.keys import server_key
from tests.sipcore.test_usual import damaged, messages

REGISTER = (
    b"REGISTER sip:example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bKnashds7;rport\r\n"
    b'From: "\xd0\x91\xd0\xbe\xd0\xb1" <sip:bob@example.com>;tag=456248\r\n'
    b"t: <sip:bob@example.com>\r\nCall-ID: 843817637684230@998sdasdh09\r\nCSeq: 1826 REGISTER\r\n"
    b"v:  SIP/2.0/UDP b;branch=z9hG4bK2 \r\nMax-Forwards: 70\r\nUser-Agent: Phone/1.0\r\n"
    b"Contact: <sip:bob@192.0.2.4>\r\n"
    b"Content-Length: 0\r\n\r\n"
)
FLOWS = [
    Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.4", 5062)),
    Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.4", 5060)),
    Flow("UDP", ("192.0.2.9", 5060), ("198.51.100.7", 4711)),
    Flow("TCP", ("192.0.2.9", 5060), ("192.0.2.4", 5070), 3),
    Flow("UDP", ("2001:db8::9", 5060), ("2001:db8::4", 5062)),
]
START, TAG, EXTRA = b"SIP/2.0 401 Unauthorized", b"ours", b"WWW-Authenticate: Digest\r\nX-More: y\r\n"
SIGNATURES = (b"phone/1", b"bob@", b"scan")

_VIAS = st.sampled_from(
    [
        "SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1",
        "SIP/2.0/TCP 192.0.2.4:5062;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.4:5062;rport;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1;rport=7",
        "SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1;received=10.0.0.1;rport",
        "SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bK1;oc;oc-algo=loss",
        "SIP/2.0/UDP Phone.Example;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP phone.example;branch=z9hG4bK1",
        "SIP/2.0/udp 192.0.2.4;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK",
        "SIP/2.0/UDP 192.0.2.4;branch=z9",
        "SIP/2.0/UDP 192.0.2.4;rport",
        "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1;branch=z9hG4bK2;rport;rport",
        "SIP/2.0/UDP 192.0.2.4;branch=z9hG4bK1;xrport",
        "SIP/2.0/UDP [2001:db8::4]:5062;branch=z9hG4bK1;rport",
    ]
)
_MORE = st.lists(
    st.sampled_from(
        [
            *("Max-Forwards: 70", "max-forwards: x", "Max-Forwards: 70000", "Require: path", "PROXY-REQUIRE: a"),
            *(
                "Authorization: Digest a=b",
                "proxy-authorization: Basic x",
                "User-Agent: Phone/1.0;Bob@",
                "user-agent: Scan",
            ),
            *("Content-Length: 0", "l: 0", "Via: SIP/2.0/UDP b;branch=z9hG4bKb", "v: nonsense", "Subject: bob@ scan"),
        ]
    ),
    max_size=4,
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Requests that differ in what a glance looks at."""
    uri = draw(
        st.sampled_from(["sip:example.com", "sips:1@a:5061;transport=tls", "tel:1", "sip:a?b=c", "sip:%41@a", "SIP:a"])
    )
    from_ = draw(
        st.sampled_from(["<sip:bob@example.com>;tag=1", '"Scan" <sip:a@b>', "Phone/1 <sip:a@b>;tag=x", "sip:a@b"])
    )
    to = draw(st.sampled_from(["<sip:bob@example.com>", "<sip:bob@example.com>;tag=2", "Bob\t<sip:a@b>"]))
    lines = [f"Via: {draw(_VIAS)}", f"From: {from_}", f"To: {to}", "Call-ID: c@d", "CSeq: 1 INVITE", *draw(_MORE)]
    text = [f"INVITE {uri} SIP/2.0", *draw(st.permutations(lines)), "", ""]
    return "\r\n".join(text).encode()


def seen(look: object) -> tuple[object, ...] | None:
    if look is None:
        return None
    assert isinstance(look, compiled.Glance | glance_ref.Glance)
    facts = (look.method, look.key, look.call_id, look.is_in_dialog, look.has_credentials, look.is_plain)
    names = [look.names((each,)) for each in SIGNATURES]
    return (*facts, *names, look.names(SIGNATURES), *(look.answer(flow, START, TAG, EXTRA) for flow in FLOWS))


@settings(max_examples=1500, deadline=None)
@given(st.one_of(requests(), messages(), damaged()))
@example(REGISTER)
def test_the_compiled_form_sees_what_the_reference_sees(data: bytes) -> None:
    assert seen(compiled.glance(data)) == seen(glance_ref.glance(data))


def as_the_stack(request: Request, flow: Flow) -> bytes | None:
    """The response that the stack makes, None when it goes elsewhere."""
    if reply_flow(request.sent, flow) != flow:
        return None
    request.note_source(*flow.remote)
    return bytes(
        response_to(request, 401, to_tag=TAG.decode(), extra=[("WWW-Authenticate", "Digest"), ("X-More", "y")])
    )


@settings(max_examples=1500, deadline=None)
@given(st.one_of(requests(), messages(), damaged()), st.sampled_from(FLOWS))
@example(REGISTER, FLOWS[0])
@example(REGISTER.replace(b";rport", b""), FLOWS[0])
def test_what_is_seen_at_a_glance_is_what_the_parser_finds_and_the_stack_answers(data: bytes, flow: Flow) -> None:
    look = compiled.glance(data)
    if look is None:
        return
    request = parse_message(data)
    assert isinstance(request, Request)
    assert (look.method, look.call_id, look.key) == (request.method, request.call_id, server_key(request))
    assert look.is_in_dialog == (request.to_tag is not None)
    assert look.has_credentials == bool({"authorization", "proxy-authorization"} & request.headers.index().keys())
    if not look.is_in_dialog:
        assert look.answer(flow, START, TAG, EXTRA) == as_the_stack(request, flow)


def test_a_request_as_phones_write_it_is_seen() -> None:
    look = compiled.glance(REGISTER)
    assert look is not None
    assert look.key == ("z9hG4bKnashds7", "192.0.2.4", "5062", "REGISTER")
    assert (look.is_in_dialog, look.has_credentials, look.is_plain) == (False, False, True)
    assert look.names((b"phone/",))
    assert not look.names((b"scanner",))


@pytest.mark.parametrize("name", ["Authorization", "PROXY-AUTHORIZATION"])
def test_credentials_are_seen(name: str) -> None:
    look = compiled.glance(REGISTER.replace(b"Max-Forwards", f"{name}: x\r\nMax-Forwards".encode()))
    assert look is not None
    assert look.has_credentials


@pytest.mark.parametrize(
    "change", [(b"Max-Forwards: 70", b"Max-Forwards: x"), (b"Contact:", b"Require: x\r\nContact:")]
)
def test_what_the_stack_may_refuse_first_is_not_plain(change: tuple[bytes, bytes]) -> None:
    look = compiled.glance(REGISTER.replace(*change))
    assert look is not None
    assert not look.is_plain


@pytest.mark.parametrize("data", [b"", b"\r\n", b"INVITE ", REGISTER[:-2], b"\xff" * 2000, b"SIP/2.0 200 OK\r\n\r\n"])
def test_what_is_no_usual_request_is_not_seen(data: bytes) -> None:
    assert compiled.glance(data) is None
