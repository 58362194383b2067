"""Header values: vectors of the RFCs, RFC 4475 oddities, meaning of properties."""

import pytest

import sipcore.headers as headers
from sipcore.errors import ParseError
from sipcore.headers import (
    CANONICAL,
    COMPACT,
    LIST_HEADERS,
    Accept,
    Allow,
    Authorization,
    Contact,
    ContentType,
    Credentials,
    CSeq,
    Event,
    Expires,
    From,
    Join,
    NameAddr,
    PAssertedIdentity,
    Privacy,
    ProxyAuthenticate,
    ProxyAuthorization,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    Route,
    RSeq,
    SessionExpires,
    SubscriptionState,
    Supported,
    Timestamp,
    To,
    Via,
    Warning,
    WwwAuthenticate,
)
from sipcore.uri import OtherUri, SipUri, TelUri


def test_the_registry_knows_every_name_and_compact_form() -> None:
    kinds = [getattr(headers, name) for name in headers.__all__ if hasattr(getattr(headers, name), "NAME")]
    names = {kind.NAME for kind in kinds if kind is not headers.Header}
    assert len(names) > 40
    assert all(CANONICAL[name.lower()] == name for name in names)
    assert {COMPACT[letter] for letter in "vftimlceskoruxb"} <= CANONICAL.keys()
    assert CANONICAL.keys() >= LIST_HEADERS
    assert not LIST_HEADERS & {"www-authenticate", "authorization", "proxy-authenticate", "proxy-authorization"}


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s', "A. G. Bell", "sip:agb@bell-telephone.com", "a48s"),
        ("sip:+12125551212@server.phone2net.com;tag=887s", "", "sip:+12125551212@server.phone2net.com", "887s"),
        ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "Anonymous", "sip:c8oqz84zk7z@privacy.org", "hyh8"),
        (
            "The Operator <sip:operator@cs.columbia.edu>;tag=28744",
            "The Operator",
            "sip:operator@cs.columbia.edu",
            "28744",
        ),
        ("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", "323"),
        (
            "sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
            "",
            "sip:vivekg@chair-dnrc.example.com",
            "1918181833n",
        ),
        (
            '"J Rosenberg \\\\\\""       <sip:jdrosen@example.com> ; tag = 98asjd8',
            'J Rosenberg \\"',
            "sip:jdrosen@example.com",
            "98asjd8",
        ),
        ('"%Z%45" <sip:resource@example.com>;tag=f232jadfj23', "%Z%45", "sip:resource@example.com", "f232jadfj23"),
        (
            "token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;tag=_token~1'+`*%!-.",
            "token1~` token2'+_ token3*%!.-",
            "sip:mundane@example.com",
            "_token~1'+`*%!-.",
        ),
        ('"" <sip:a@b>', "", "sip:a@b", None),
        ("Иван <sip:101@b>", "Иван", "sip:101@b", None),
        ('"Bell, Alexander" <sip:a.g.bell@example.com>;tag=43', "Bell, Alexander", "sip:a.g.bell@example.com", "43"),
    ],
)
def test_name_addr_vectors(text: str, display: str, uri: str, tag: str | None) -> None:
    value = From.parse(text)
    assert (value.display, str(value.uri), value.tag) == (display, uri, tag)
    assert From.parse(str(value)) == value


def test_an_address_without_brackets_owns_no_parameters() -> None:
    value = To.parse("sip:a@b;transport=tcp;tag=1")
    assert str(value.uri) == "sip:a@b"
    assert value.params.get("transport") == "tcp"
    assert str(To.parse("<sip:a@b;transport=tcp>;tag=1").uri) == "sip:a@b;transport=tcp"


def test_a_display_name_of_raw_octets_stays_printable() -> None:
    raw = b"Jos\xe9 <sip:a@b>".decode("utf-8", "surrogateescape")
    assert From.parse(raw).display == "Jos?"
    bell = '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:a@b>'  # RFC 4475 §3.1.1.2
    assert From.parse(bell).display == "BEL:  NUL:  DEL: "


def test_addresses_of_other_schemes() -> None:
    assert isinstance(To.parse("<tel:+7495>").uri, TelUri)
    assert isinstance(To.parse("isbn:2983792873").uri, OtherUri)
    assert To.parse("<tel:+7495>").sip_uri is None
    assert To.parse("<sip:a@b>").sip_uri == SipUri("sip", "a", "b")
    assert PAssertedIdentity.parse('"A" <sip:1@b>') == PAssertedIdentity(SipUri("sip", "1", "b"), "A")


def test_kinds_do_not_compare_equal_and_hold_no_dict() -> None:
    values: set[NameAddr] = {From.parse("<sip:a@b>"), To.parse("<sip:a@b>"), To.parse("<sip:a@b>")}
    assert len(values) == 2
    assert not hasattr(From.parse("<sip:a@b>"), "__dict__")
    assert not hasattr(Via.parse("SIP/2.0/UDP a"), "__dict__")
    assert issubclass(Contact, NameAddr)


@pytest.mark.parametrize(
    ("params", "q", "expires"),
    [
        ("", 1.0, None),
        (";q=0.7;expires=3600", 0.7, 3600),
        (";q=1.000;expires=0", 1.0, 0),
        (";q=0", 0.0, None),
        (";q=0.33", 0.33, None),
        (";q=2;expires=soon", 1.0, 3600),
        (";q=;expires=", 1.0, 3600),
        (";q=0.1234;expires=-1", 1.0, 3600),
        (";expires=280297596632815", 1.0, 2**32 - 1),
        (";expires=" + "9" * 5000, 1.0, 2**32 - 1),
        (";expires=0000000000000000000000000005", 1.0, 5),
        (";expires=٣", 1.0, 3600),
    ],
)
def test_contact_preference_and_lifetime(params: str, q: float, expires: int | None) -> None:
    contact = Contact.parse(f"<sip:a@b>{params}")
    assert (contact.q, contact.expires) == (q, expires)


def test_contact_star() -> None:
    star = Contact.parse(" * ")
    assert star.is_star
    assert star == Contact.STAR
    assert str(star) == "*"
    assert not Contact.parse("<sip:*@b>").is_star


def test_contact_instance_and_reg_id() -> None:
    contact = Contact.parse('<sip:a@b;ob>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"')
    assert contact.instance == "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF"
    assert contact.reg_id == 1
    assert Contact.parse("<sip:a@b>;reg-id=x").reg_id is None
    assert Contact.parse("<sip:a@b>").instance is None


def test_routes_know_whether_they_are_loose() -> None:
    assert Route.parse("<sip:services.example.com;lr;unknownwith=value;unknown-no-value>").loose
    assert not Route.parse("<sip:alice@atlanta.com>").loose


@pytest.mark.parametrize(
    ("text", "transport", "sent_by", "branch"),
    [
        (
            "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
            "UDP",
            "erlang.bell-telephone.com:5060",
            "z9hG4bK87asdks7",
        ),
        (
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
            "UDP",
            "first.example.com:4000",
            "z9hG4bKa7c6a8dlze.1",
        ),
        (
            "SIP  / 2.0 / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8",
            "TCP",
            "spindle.example.com",
            "z9hG4bK9ikj8",
        ),
        ("SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~", "TCP", "host1.example.com", "z9hG4bK-.!%66*_+`'~"),
        ("SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bKkj", "UNKNOWN", "t5.example.com", "z9hG4bKkj"),
        ("sip/2.0/udp [2001:db8::9:1]:5070;branch=z9hG4bKas3", "UDP", "[2001:db8::9:1]:5070", "z9hG4bKas3"),
        ("SIP/2.0/UDP 192.0.2.2;;", "UDP", "192.0.2.2", None),
    ],
)
def test_via_vectors(text: str, transport: str, sent_by: str, branch: str | None) -> None:
    via = Via.parse(text)
    assert (via.transport, via.sent_by, via.branch) == (transport, sent_by, branch)
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    ("text", "source", "stamped"),
    [
        ("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z1", ("192.0.2.1", 9988), "192.0.2.1 9988"),
        ("SIP/2.0/UDP 10.1.1.1;rport", ("10.1.1.1", 5060), "10.1.1.1 5060"),
        ("SIP/2.0/UDP 10.1.1.1;branch=z1", ("10.1.1.1", 9988), "None None"),
        ("SIP/2.0/UDP bobspc.biloxi.com:5060", ("192.0.2.4", 5061), "192.0.2.4 None"),
        ("SIP/2.0/UDP 10.1.1.1;rport=1;received=6.6.6.6", ("192.0.2.1", 2), "192.0.2.1 2"),
        ("SIP/2.0/UDP [2001:DB8::1];branch=z1", ("2001:db8::1", 5060), "None None"),
    ],
)
def test_the_source_is_noted_by_rfc_3261_18_2_1_and_rfc_3581(text: str, source: tuple[str, int], stamped: str) -> None:
    via = Via.parse(text).with_source(*source)
    assert f"{via.received} {via.rport}" == stamped
    assert Via.parse(str(via)) == via


def test_a_forged_received_does_not_outlive_the_hop() -> None:
    assert Via.parse("SIP/2.0/UDP 1.1.1.1;received=6.6.6.6").with_source("1.1.1.1", 5060).received is None


def test_cseq_and_the_reliability_headers() -> None:
    assert CSeq.parse("0009   INVITE") == CSeq(9, "INVITE")
    assert CSeq.parse("2147483647 !interesting-Method0123456789_*+`.%indeed'~").number == 2**31 - 1
    assert RAck.parse("776656 1 INVITE") == RAck(776656, 1, "INVITE")
    assert RSeq.parse("988789") == RSeq(988789)
    assert [str(each) for each in (CSeq(1, "BYE"), RAck(1, 2, "INVITE"), RSeq(3))] == ["1 BYE", "1 2 INVITE", "3"]


def test_a_challenge_of_rfc_7616() -> None:
    text = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",'
        "stale=TRUE,userhash=false,charset=UTF-8"
    )
    challenge = WwwAuthenticate.parse(text)
    assert challenge.realm == "http-auth@example.org"
    assert challenge.qop == ("auth", "auth-int")
    assert challenge.algorithm == "SHA-256"
    assert challenge.stale
    assert not challenge.userhash
    assert WwwAuthenticate.parse(str(challenge)) == challenge
    assert ProxyAuthenticate.parse(text).NAME == "Proxy-Authenticate"


def test_credentials_with_odd_spacing_case_and_extras() -> None:
    text = (
        'digest  USERNAME = "a\\"b" ,realm="r",, nonce=n1,uri="sip:x",response="00",nc=0000000A, QOP="AUTH" ,x-y="z",'
    )
    credentials = Authorization.parse(text)
    assert (credentials.username, credentials.realm, credentials.nonce) == ('a"b', "r", "n1")
    assert (credentials.qop, credentials.count, credentials.extra) == ("auth", 10, (("x-y", "z"),))
    assert Authorization.parse(str(credentials)) == credentials
    assert ProxyAuthorization.parse(text).NAME == "Proxy-Authorization"


@pytest.mark.parametrize(
    ("nc", "count"), [("", 0), ("00000001", 1), ("1", None), ("0000000g", None), ("+0000001", None), ("٠٠٠٠٠٠٠١", None)]
)
def test_the_nonce_count_is_eight_hexadecimal_digits(nc: str, count: int | None) -> None:
    assert Credentials(nc=nc).count == count


def test_other_authentication_schemes_are_kept_as_text() -> None:
    credentials = Authorization.parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert (credentials.scheme, credentials.other) == ("Basic", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert str(credentials) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert credentials.username == ""


def test_token_lists() -> None:
    allow = Allow.parse("INVITE, ACK,,BYE ")
    assert allow.tokens == ("INVITE", "ACK", "BYE")
    assert "ACK" in allow
    assert "ack" not in allow
    assert str(allow) == "INVITE, ACK, BYE"
    assert Supported.parse("").tokens == ()


def test_accept_ranges() -> None:
    accept = Accept.parse("application/sdp;level=1, application/x-private, text/*")
    assert len(accept.tokens) == 3
    assert accept.allows("Application/SDP")
    assert accept.allows("text/html")
    assert not accept.allows("image/png")
    assert Accept.parse("*/*").allows("image/png")


def test_session_timer_and_replaces_headers() -> None:
    timer = SessionExpires.parse("1800 ;refresher=UAC")
    assert (timer.value, timer.refresher, str(timer)) == (1800, "uac", "1800;refresher=UAC")
    assert SessionExpires.parse("90;refresher=x").refresher is None
    replaces = Replaces.parse("425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only")
    assert (replaces.call_id, replaces.to_tag, replaces.from_tag) == ("425928@bobster.example.org", "7743", "6472")
    assert replaces.early_only
    assert Replaces.parse(str(replaces)) == replaces
    join = Join.parse("12adf2f34456gs5;to-tag=12345;from-tag=54321")
    assert join == Join("12adf2f34456gs5", "12345", "54321")
    with pytest.raises(ParseError, match="the Join value needs"):
        Join.parse("12adf2f34456gs5;to-tag=12345")


def test_event_reason_and_privacy() -> None:
    assert Event.parse("refer;id=93809824").id == "93809824"
    state = SubscriptionState.parse("Terminated;reason=noresource")
    assert (state.state, state.reason) == ("terminated", "noresource")
    reason = Reason.parse('SIP ;cause=200 ;text="Call completed elsewhere"')
    assert reason == Reason("SIP", 200, "Call completed elsewhere")
    assert str(reason) == 'SIP;cause=200;text="Call completed elsewhere"'
    assert str(Reason("Q.850", 16)) == "Q.850;cause=16"
    assert "id" in Privacy.parse("header; ID;critical")


def test_numbers_dates_and_media_types() -> None:
    assert Expires.parse("1" + "0" * 19).value == 2**32 - 1
    retry = RetryAfter.parse("18000 (I'm in a meeting);duration=3600")
    assert (retry.value, retry.comment, retry.params.get("duration")) == (18000, "I'm in a meeting", "3600")
    assert RetryAfter.parse(str(retry)) == retry
    warning = Warning.parse("307 isi.edu \"Session parameter 'foo' not understood\"")
    assert (warning.code, warning.agent, warning.text) == (307, "isi.edu", "Session parameter 'foo' not understood")
    assert Warning.parse(str(warning)) == warning
    assert Timestamp.parse("54.3 0.1") == Timestamp("54.3", "0.1")
    kind = ContentType.parse('Multipart/Mixed; boundary="a b"')
    assert (kind.media_type, kind.params.get("boundary")) == ("multipart/mixed", "a b")
    assert ContentType.parse("text / html").media_type == "text/html"


MALFORMED: list[tuple[type[headers.Header], str]] = [
    (To, '"Mr. J. User <sip:j.user@example.com>'),  # RFC 4475 quotbal
    (To, '"Watson, Thomas" < t.watson@example.org >'),  # badaspec
    (From, "Bell, Alexander <sip:a.g.bell@example.com>;tag=43"),  # baddn
    (Contact, "sip:user@example.com?Route=%3Csip:sip.example.com%3E"),  # regbadct
    (To, ""),
    (To, "<>"),
    (To, "<sip:a@b"),
    (To, "sip:a@b>"),
    (To, "<sip:a@b> tag=1"),
    (To, "<sip:a@b>;tag=1 2"),
    (To, '<sip:a@b>;"x"'),
    (To, "a\x00b <sip:a@b>"),
    (To, '"a\r\nb" <sip:a@b>'),
    (To, "<sip:a@b>\r\nEvil: 1"),
    (Contact, "**"),
    (Route, "sip:a@b,sip:c@d"),
    (Via, "SIP/2.0/UDP"),
    (Via, ";"),
    (Via, "SIP/7.0/UDP a.example.com"),
    (Via, "SIP/2.0 UDP a.example.com"),
    (Via, "SIP/2.0/UDP a b;branch=1"),
    (Via, "SIP/2.0/UDP a:99999"),
    (Via, "SIP/2.0/UDP a:0"),
    (Via, "SIP/2.0/UDP [::g]"),
    (Via, "SIP/2.0/UDP a;branch=z\r\n"),
    (Via, "SIP/2.0/UDP\ta,b"),
    (CSeq, "36893488147419103232 REGISTER"),  # scalar02
    (CSeq, "2147483648 INVITE"),
    (CSeq, "-1 INVITE"),
    (CSeq, "INVITE"),
    (CSeq, "1"),
    (CSeq, "1INVITE"),
    (CSeq, "1 INVITE 2"),
    (CSeq, "1 IN(VITE"),
    (CSeq, "١ INVITE"),
    (RAck, "1 INVITE"),
    (RSeq, "x"),
    (headers.MaxForwards, "300"),  # scalar02
    (headers.MaxForwards, "-1"),
    (headers.MaxForwards, "seventy"),
    (headers.ContentLength, "-999"),  # ncl
    (headers.ContentLength, "9" * 30),
    (headers.ContentLength, "1 2"),
    (Expires, "soon"),
    (Expires, "9" * 5000),
    (RetryAfter, "949302838503028349304023988"),  # scalarlg
    (RetryAfter, "18000 (open"),
    (Warning, '1812 overture "In Progress"'),  # bcast / scalarlg
    (Warning, "307 isi.edu unquoted"),
    (Timestamp, "now"),
    (ContentType, "text"),
    (ContentType, "/plain"),
    (ContentType, "text/plain/x"),
    (Allow, "INVITE ACK"),
    (Allow, 'INVITE, "x"'),
    (Accept, '"text'),
    (Event, "a b"),
    (Event, ";id=1"),
    (Replaces, "425928@bobster.example.org;to-tag=7743"),
    (Replaces, ";to-tag=1;from-tag=2"),
    (SessionExpires, ";refresher=uac"),
    (SessionExpires, "99999999999"),
    (Reason, ";cause=1"),
    (Reason, "SIP;cause=abc"),
    (Privacy, ""),
    (Privacy, "id user"),
    (Authorization, ""),
    (Authorization, "Digest"),
    (Authorization, 'Digest username="a", username="b"'),
    (Authorization, 'Digest username="a'),
    (Authorization, "Digest username"),
    (Authorization, "Digest a=b c=d"),
    (Authorization, 'Digest username="a\r\nb"'),
    (Authorization, "Basic a\x00b"),
    (WwwAuthenticate, 'Digest realm="x" nonce="y"'),
]


@pytest.mark.parametrize(("kind", "text"), MALFORMED)
def test_malformed_values_are_refused_with_a_sentence(kind: type[headers.Header], text: str) -> None:
    with pytest.raises(ParseError) as caught:
        kind.parse(text)
    assert caught.value.status == 400
    assert " " in caught.value.reason
