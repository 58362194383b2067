"""The compiled headers and messages against their reference: whatever is done to both, both say the same."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sipcore import message, message_ref
from sipcore.errors import ParseError
from sipcore.headers import Contact, CSeq, Route, Via
from sipcore.headers.base import Header
from sipcore.uri import parse_uri

_NAMES = ["via", "Via", "v", "VIA", "from", "f", "to", "T", "cseq", "call-id", "i", "contact", "m", "route", "X-Own"]
_NAMES += ["record-route", "content-type", "c", "content-length", "accept", "x-own", "é"]
_VALUES = [
    *("SIP/2.0/UDP a.example:5060;branch=z9hG4bK1;rport", "SIP/2.0/TCP [::1];branch=x, SIP/2.0/UDP b", ", ", ""),
    *("SIP/2.0/UDP a;received=192.0.2.1", "<sip:a@b>;tag=1", '"A, B" <sip:c@d>', "<sip:p;lr>, <sip:q,r;lr>", "*"),
    *("1 INVITE", "2 BYE", "x INVITE", "application/sdp ;x=y", "7", "a, b", '"', "<", "é;tag=\udc80"),
]
_KINDS: list[type[Header]] = [Via, Contact, Route, CSeq]
_PROPERTIES = "via sent branch from_tag to_tag from_ to cseq call_id contact content_type"
URI = parse_uri("sip:a@b")
name, value = st.sampled_from(_NAMES), st.sampled_from(_VALUES)
fields = st.lists(st.tuples(name.map(message_ref.long_name), value), max_size=8)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "set", "set_top_value"]), st.tuples(name, value)),
        st.tuples(st.just("top"), st.tuples(name, value)),
        st.tuples(st.sampled_from(["remove", "get", "raw", "values", "__contains__"]), st.tuples(name)),
        st.tuples(st.sampled_from(["all", "first"]), st.tuples(st.sampled_from(_KINDS))),
        st.tuples(st.sampled_from(["lines", "index", "__len__"]), st.just(())),
    ),
    max_size=12,
)
Headers = message.Headers | message_ref.Headers
Outcome = object


def outcome(ask: Callable[[], object]) -> Outcome:
    """What comes back, or why nothing does."""
    try:
        return ask()
    except ParseError as error:
        return error.reason, error.status


def done(headers: Headers, step: str, arguments: tuple[object, ...]) -> Outcome:
    if step == "top":
        return outcome(lambda: headers.add(str(arguments[0]), arguments[1], top=True))
    return outcome(lambda: getattr(headers, step)(*arguments))


@given(fields, steps)
def test_headers_do_the_same(items: list[tuple[str, str]], steps: list[tuple[str, tuple[object, ...]]]) -> None:
    compiled, plain = message.Headers(list(items)), message_ref.Headers(list(items))
    for step, arguments in steps:
        assert done(compiled, step, arguments) == done(plain, step, arguments)
        assert list(compiled) == list(plain)
    assert list(compiled.copy()) == list(plain.copy())


def answers(found: object) -> dict[str, Outcome]:
    """What a message says of itself, the printed form included."""
    said = {each: outcome(lambda each=each: getattr(found, each)) for each in _PROPERTIES.split()}  # type: ignore[misc]
    return said | {"bytes": bytes(found), "repr": repr(found)}  # type: ignore[call-overload]


@given(fields, st.sampled_from([b"", b"body\xff"]), st.sampled_from([None, ("1", None)]), st.sampled_from(_VALUES))
def test_messages_say_the_same(items: list[tuple[str, str]], body: bytes, tags: message.Tags | None, via: str) -> None:
    compiled = message.Request("INVITE", URI, message.Headers(list(items)), body, None, tags)
    plain = message_ref.Request("INVITE", URI, message_ref.Headers(list(items)), body, None, tags)
    assert answers(compiled) == answers(plain)
    for each in (compiled, plain):
        outcome(lambda each=each: each.note_source("192.0.2.7", 5062))  # type: ignore[misc]
    assert answers(compiled) == answers(plain)
    found = outcome(lambda: Via.parse(via))
    if isinstance(found, Via):
        compiled.replace_via(found)
        plain.replace_via(found)
    assert answers(compiled) == answers(plain)
    assert outcome(compiled.routes) == outcome(plain.routes)
    assert answers(compiled.outline()) == answers(plain.outline())
    compiled.settle()
    plain.settle()
    assert answers(compiled) == answers(plain)
    answered = message.Response(200, "OK", message.Headers(list(items)), body, ("h", "1", "b", None))
    expected = message_ref.Response(200, "OK", message_ref.Headers(list(items)), body, ("h", "1", "b", None))
    assert answers(answered) == answers(expected)


@given(name)
def test_names_are_the_same(written: str) -> None:
    assert message.long_name(written) == message_ref.long_name(written)
    key = message.long_name(written)
    assert message.printed_name(key) == message_ref.printed_name(key)
