"""URIs: RFC 3261 §19.1 examples, RFC 4475 oddities, round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.params import NO_PARAMS, Params
from sipcore.uri import OtherUri, SipUri, TelUri, parse_uri

RFC_3261_EXAMPLES = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
]


@pytest.mark.parametrize("text", RFC_3261_EXAMPLES)
def test_the_examples_of_rfc_3261_parse_and_print_unchanged(text: str) -> None:
    assert str(SipUri.parse(text)) == text


def test_the_parts_of_a_full_uri() -> None:
    uri = SipUri.parse("SIPS:alice:secret%3A@[2001:DB8::1]:5061;Transport=TLS;lr?Replaces=a%3Bto-tag%3D1&x=")
    assert uri.scheme == "sips"
    assert uri.secure
    assert (uri.user, uri.password, uri.host, uri.port) == ("alice", "secret:", "2001:DB8::1", 5061)
    assert uri.transport == "tls"
    assert "lr" in uri.params
    assert uri.headers == (("Replaces", "a;to-tag=1"), ("x", ""))
    assert str(uri) == "sips:alice:secret%3A@[2001:DB8::1]:5061;transport=TLS;lr?Replaces=a%3Bto-tag%3D1&x="
    assert "secret" not in repr(uri)


def test_the_user_is_readable_text_and_prints_escaped() -> None:
    assert SipUri.parse("sip:%61lice%20%D0%96@x").user == "alice Ж"
    assert str(SipUri("sip", "Жанна d'Arc@home", "x")) == "sip:%D0%96%D0%B0%D0%BD%D0%BD%D0%B0%20d'Arc%40home@x"


def test_an_escaped_line_end_never_becomes_one() -> None:
    uri = SipUri.parse("sip:a%0D%0AVia:b@x?h=%0d%0aEvil:%201")
    assert "\r" not in repr(uri)
    assert "\r" not in str(uri)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::9:1]", "sip:a@[2001:DB8:0:0::0009:1]"),  # RFC 5954 §4.2
        ("sip:a@b;p=%31", "sip:a@b;p=1"),
    ],
)
def test_equivalent_by_rfc_3261_19_1_4(a: str, b: str) -> None:
    assert SipUri.parse(a).equivalent(SipUri.parse(b))
    assert SipUri.parse(b).equivalent(SipUri.parse(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:b", "sip:a@b"),
        ("sip:a:x@b", "sip:a:y@b"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;maddr=1.1.1.1", "sip:a@b"),
        ("sip:a@b;ttl=1", "sip:a@b"),
        ("sip:%00@b", "sip:%00%00@b"),  # RFC 4475 §3.1.1.4
    ],
)
def test_not_equivalent_by_rfc_3261_19_1_4(a: str, b: str) -> None:
    assert not SipUri.parse(a).equivalent(SipUri.parse(b))
    assert not SipUri.parse(b).equivalent(SipUri.parse(a))


def test_equivalence_is_not_transitive() -> None:
    one, two, three = (SipUri.parse(f"sip:c@x{tail}") for tail in ("", ";security=on", ";security=off"))
    assert one.equivalent(two)
    assert one.equivalent(three)
    assert not two.equivalent(three)


def test_other_kinds_are_never_equivalent() -> None:
    assert not SipUri.parse("sip:1@x").equivalent(TelUri.parse("tel:1"))
    assert not TelUri.parse("tel:1").equivalent(SipUri.parse("sip:1@x"))
    assert parse_uri("mailto:a@b").equivalent(parse_uri("mailto:a@b"))


def test_the_aor_keeps_scheme_user_and_host_only() -> None:
    uri = SipUri.parse("sip:%61lice:pw@Atlanta.COM:5070;transport=tcp?x=1")
    assert uri.aor() == SipUri("sip", "alice", "atlanta.com")


def test_tel_uris_compare_without_visual_separators() -> None:
    tel = TelUri.parse("tel:+7-(495)-123.45.67;ext=1;phone-context=x")
    assert tel.digits == "+74951234567"
    assert str(tel) == "tel:+7-(495)-123.45.67;ext=1;phone-context=x"
    assert tel.equivalent(TelUri.parse("tel:+74951234567;phone-context=X;ext=1"))
    assert not tel.equivalent(TelUri.parse("tel:+74951234567"))


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("nobodyKnowsThisScheme:totallyopaquecontent", "nobodyknowsthisscheme"),
        ("soap.beep://192.0.2.103:3002", "soap.beep"),
        ("isbn:2983792873", "isbn"),
        ("http://www.example.com/?a=b", "http"),
        ("urn:service:sos", "urn"),
    ],
)
def test_unknown_schemes_are_uris_too(text: str, scheme: str) -> None:
    uri = parse_uri(text)
    assert isinstance(uri, OtherUri)
    assert uri.scheme == scheme
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        "sip:sips%3Auser%40example.com@example.net",
        "sip:user;par=u%40example.net@example.com",
        "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31",
        "sip:user@example.com?Route=%3Csip:example.com%3E",
        "sip:[2001:db8::10]",
        "sip:user@[2001:db8::10:5070]",
        "sip:[::ffff:192.0.2.3]:5070;lr",
        "sip:%00@host5.example.com",
        "sip:user@host_with_underscore",
        "sip:user@host;transport=tcp;;lr",
        "sip:user@host;p=",
        "sip:us:@host",
    ],
)
def test_torture_uris_are_accepted_and_keep_their_meaning(text: str) -> None:
    uri = SipUri.parse(text)
    assert SipUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "alice@atlanta.com",
        "sip:@host",
        "sip:user@",
        "sip:user@host@host",
        "sip:user@ho st",
        "sip:us er@host",
        "<sip:user@example.com>",
        "sip:user@host:0",
        "sip:user@host:65536",
        "sip:user@host:port",
        "sip:user@host:",
        "sip:user@[::1",
        "sip:user@::1",
        "sip:user@[1.2.3.4]",
        "sip:user@[1::2::3]",
        "sip:us%er@host",
        "sip:us%4@host",
        "sip:user@host?",
        "sip:user@host?a",
        "sip:user@host?=b",
        "sip:user@host;a=b,c",
        'sip:us"er@host',
        "sip:user@host\r\n",
        "sip:us\x00er@host",
        "sip:us\udcffer@host",
        "sip:user@хост",
        "sip:example.com; lr",
        "tel:",
        "tel:abc xyz",
        "tel:12345g",
        ":x",
        "1a:x",
        "a b:c",
        "x:",
    ],
)
def test_malformed_uris_are_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_uri(text)
    assert caught.value.status == 400
    assert caught.value.reason


@pytest.mark.parametrize(
    "text", ["sip:" + "a" * 8192, "sip:" + "%41" * 3000 + "@b", "tel:" + "1" * 9000, "x:" + "y" * 9000]
)
def test_a_uri_beyond_8_kib_is_too_long(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_uri(text)
    assert caught.value.status == 414


_USERS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="%"), min_size=1, max_size=20)
_HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9\-]{0,8}\.){0,3}[a-z]{1,6}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
_URI_PARAMS = st.dictionaries(
    st.sampled_from(["transport", "lr", "user", "maddr", "ob", "x"]), st.sampled_from(["", "tcp", "1.2.3.4", "%41[:]"])
).map(lambda values: Params(tuple(values.items())) if values else NO_PARAMS)
URIS = st.builds(
    SipUri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.one_of(st.none(), _USERS),
    host=_HOSTS,
    port=st.one_of(st.none(), st.integers(1, 65535)),
    params=_URI_PARAMS,
    headers=st.lists(st.tuples(_USERS, _USERS), max_size=3).map(tuple),
)


@given(URIS)
def test_printed_uris_parse_to_the_same_uri(uri: SipUri) -> None:
    printed = str(uri)
    assert printed.isascii()
    again = SipUri.parse(printed)
    normal = SipUri.parse(str(again))
    assert normal == again
    if uri.user is None or uri.user.isprintable():
        assert again.user == uri.user
    assert (again.scheme, again.host, again.port, again.params) == (uri.scheme, uri.host, uri.port, uri.params)


@given(URIS)
def test_a_uri_is_equivalent_to_itself_and_to_its_print(uri: SipUri) -> None:
    assert uri.equivalent(uri)
    again = SipUri.parse(str(uri))
    assert again.equivalent(SipUri.parse(str(again)))
