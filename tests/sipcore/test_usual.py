"""The compiled reader of usual messages against its reference and against the parser of all messages."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore import usual, usual_ref
from sipcore.errors import ParseError
from sipcore.headers.auth import Credentials, _parse_pairs
from sipcore.message import Headers, Message, Request, Response
from sipcore.parse import parse_any, parse_message

REGISTER = (
    b"REGISTER sip:example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bKnashds7;rport\r\n"
    b'From: "\xd0\x91\xd0\xbe\xd0\xb1" <sip:bob@example.com>;tag=456248\r\n'
    b"t: <sip:bob@example.com>\r\nCall-ID: 843817637684230@998sdasdh09\r\nCSeq: 1826 REGISTER\r\n"
    b"X-Other:  kept \r\nContact: <sip:bob@192.0.2.4>\r\nContent-Length: 3\r\n\r\nabcd"
)
TRYING = (
    b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1;received=192.0.2.1;rport=5060\r\n"
    b"From: Bob B. <sips:b%C3%A9@[::1];transport=tls>;tag=1\r\nTo: <sip:1:5060>;tag=2;x\r\n"
    b"Call-ID: c\r\nCSeq: 2 INVITE\r\n\r\n"
)
# Parts of messages, usual and odd: what stands at one place is likely to be wrong at another.
_HOSTS = ["a", "192.0.2.1", "[::1]", "a:5060", "a:0", "a:65536", "a:065", "a_b.", ""]
_PARAMS = [
    "", ";tag=1", ";tag", ";tag=", ";TAG=x", ";tag=1;tag=2", ";rport", ";rport=7", ";branch=z9hG4bKx", ";lr;a=b",
    ";x=\"q\"", ";a=b@c", "; tag=3", ";tag=%41", ";" , ";a" * 17, ";received=1.2.3.4", ";m\u00e9=1",
]  # fmt: skip
_DISPLAYS = ["", '"Bob" ', '"B\\"b"', "Bob ", "B <", "\u0411\u043e\u0431 ", "a,b ", '"', '"a,b<"', "\t", '"x"\t', "*"]
_URIS = [*("sip:", "sips:", "tel:", "SIP:"), "sip:1@", "sip:a:b@", "sip:%41@", "sip:a b@", "sip:@"]


def _parts(*choices: list[str]) -> st.SearchStrategy[str]:
    return st.tuples(*map(st.sampled_from, choices)).map("".join)


_ADDRESSES = st.one_of(
    st.tuples(_parts(_DISPLAYS, ["<", "<<", ""], _URIS, _HOSTS, _PARAMS), _parts([">", ""], _PARAMS)).map("".join),
    st.text(max_size=20),
)
_VIAS = st.one_of(
    _parts(["SIP/2.0/UDP ", "SIP/2.0/ws\t", "SIP / 2.0 / UDP ", "SIP/3.0/UDP "], _HOSTS, _PARAMS, _PARAMS)
)
_TO = st.sampled_from(["To: ", "t:", "TO:  ", "tO: "])
_CSEQS = st.sampled_from(["1 INVITE", "2147483647 INVITE", "2147483648 INVITE", "01 INVITE", "1  INVITE", "1 BYE", "x"])
_STARTS = st.sampled_from(
    ["INVITE sip:a SIP/2.0", "INVITE sip:a b SIP/2.0", "INVITE ? SIP/2.0", "SIP/2.0 200 OK", "SIP/2.0 200",
     "SIP/2.0 700 x", "INVITE  SIP/2.0", "INVITE sip:a sip/2.0", "invite sip:a SIP/2.0", "SIP/2.0 1a0 x", "",
     "SIP/2.0 200 \u00e9"]
)  # fmt: skip
_EXTRA = st.lists(
    st.sampled_from(
        ["Content-Length: 0", "l: 2", "Content-Length: x", "CSeq: 1 INVITE", "X-A: b", "X-A : b", "x a: b", " folded",
         "Via: SIP/2.0/UDP b", "v: SIP/2.0/UDP c, SIP/2.0/UDP d", "Contact: *", "no colon", "N:", ": x", "x:\x7f",
         "x:\n"]
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Most parts of a message are good, so that the odd one is what matters."""

    def part(good: str, odd: st.SearchStrategy[str]) -> str:
        return draw(odd) if draw(st.integers(0, 6)) == 0 else good

    lines = [
        f"Via: {part('SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport', _VIAS)}",
        f"From: {part('<sip:a@b:5060;x=y>;tag=1', _ADDRESSES)}",
        f"{draw(_TO)}{part('<sip:c@d>', _ADDRESSES)} ",
        f"Call-ID: {draw(st.sampled_from(['c', '', 'a b']))}",
        f"CSeq: {part('1 INVITE', _CSEQS)}",
        *(draw(_EXTRA) if draw(st.integers(0, 2)) == 0 else ()),
    ]
    if draw(st.integers(0, 9)) == 0:
        del lines[draw(st.integers(0, len(lines) - 1))]
    text = "\r\n".join(
        [
            part("INVITE sip:a SIP/2.0", _STARTS),
            *draw(st.permutations(lines)),
            "",
            draw(st.sampled_from(["", "ab", "\r\n"])),
        ]
    )
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good message with an octet changed, taken out or put in."""
    good = draw(st.sampled_from([REGISTER, TRYING]))
    at = draw(st.integers(0, len(good)))
    return good[:at] + draw(st.binary(max_size=2)) + good[at + draw(st.integers(0, 2)) :]


def _seen(message: Message) -> tuple[object, ...]:
    line = (message.method, str(message.uri)) if isinstance(message, Request) else ()
    status = (message.status, message.reason) if isinstance(message, Response) else ()
    tags = (message.from_tag, message.to_tag, message.from_, message.to, message.via, message.cseq)
    return (line, status, list(message.headers), message.headers.index(), message.body, message.sent, *tags)


def outcome(parse: Callable[[bytes], Message], data: bytes) -> tuple[object, ...]:
    try:
        return _seen(parse(data))
    except ParseError as error:
        return (error.reason, error.status)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(messages(), damaged()))
@example(REGISTER)
@example(TRYING)
def test_the_compiled_reader_finds_what_the_reference_finds(data: bytes) -> None:
    assert usual.read(data, 16384, 256) == usual_ref.read(data, 16384, 256)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(messages(), damaged()))
@example(REGISTER)
def test_a_usual_message_reads_as_by_the_parser_of_all_messages(data: bytes) -> None:
    if usual.read(data, 16384, 256) is None:
        return
    assert outcome(parse_message, data) == outcome(parse_any, data)


def test_limits_of_the_head_hold() -> None:
    size = REGISTER.index(b"\r\n\r\n")
    for reader in (usual, usual_ref):
        assert reader.read(REGISTER, size, 8) is not None
        assert reader.read(REGISTER, size - 1, 8) is None
        assert reader.read(REGISTER, size, 7) is None


def test_what_is_asked_most_is_found() -> None:
    message = parse_message(REGISTER)
    assert usual.read(REGISTER, 16384, 256) is not None
    assert message.sent == ("192.0.2.4", "5062", "z9hG4bKnashds7", "")
    assert (message.from_tag, message.to_tag, message.body) == ("456248", None, b"abc")
    assert message.headers.get("x-other") == "kept"


_FIELDS = st.lists(
    st.tuples(st.sampled_from(["via", "x-own", "content-length", "www-authenticate"]), st.text(max_size=12)), max_size=6
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12), _FIELDS, st.binary(max_size=12))
def test_the_compiled_writer_prints_what_the_reference_prints(
    start: str, fields: list[tuple[str, str]], body: bytes
) -> None:
    assert usual.write(start, fields, body) == usual_ref.write(start, fields, body)


def test_a_message_that_is_not_all_ascii_is_printed_too() -> None:
    response = Response(200, "OK", Headers([("subject", "\u0411\u043e\u0431 \udcff")]), b"x")
    assert bytes(response) == b"SIP/2.0 200 OK\r\nSubject: \xd0\x91\xd0\xbe\xd0\xb1 \xff\r\nContent-Length: 1\r\n\r\nx"


_PIECES = st.sampled_from(
    [
        'a="b"',
        "a=b",
        "A=c",
        "qop=auth",
        "nc=00000001",
        ",",
        ", ",
        ",  ",
        "=",
        '"',
        "\\",
        '""',
        " ",
        "\t",
        "x",
        'u="\u0411"',
        "%",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_PIECES, max_size=8).map("".join))
@example('username="1", realm="a.b", nonce="6-5-4", uri="sip:a", response="0", algorithm=MD5, qop=auth, nc=00000001')
@example(", ".join(f"a{index}=b" for index in range(33)))
@example(", ".join(f"a{index}=b" for index in range(34)))
def test_the_compiled_reader_of_pairs_finds_what_the_reference_and_the_parser_of_all_find(text: str) -> None:
    found = usual.pairs(text)
    assert found == usual_ref.pairs(text)
    if found is not None:
        credentials = Credentials.parse(f"Digest {text}")
        assert {**_parse_pairs(text)} == found
        assert credentials.qop == found.get("qop", "").lower()
