"""The torture messages of RFC 5118: IPv6 in every place where an address may stand.

The vectors are those of the text with CRLF as line end. The RFC counts three of its bodies wrong, which is not what it
is about: Content-Length is right here.
"""

from pathlib import Path

import pytest

from sipcore.errors import ParseError
from sipcore.headers import Via
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.sdp.parse import parse_sdp
from sipcore.uri import SipUri, same_host
from tests.support.stranger import Bench

FOLDER = Path(__file__).parents[1] / "vectors" / "torture" / "rfc5118"
EXPECTED: dict[str, int | str] = {
    "ipv6-good": "RequestArrived",  # §4.1
    "ipv6-bad": 400,  # §4.2: no brackets in the Request-URI
    "port-ambiguous": "RequestArrived",  # §4.3
    "port-unambiguous": "RequestArrived",  # §4.4
    "via-received-param-with-delim": 481,  # §4.5: a good BYE of no dialog
    "via-received-param-no-delim": "RequestArrived",
    "ipv6-in-sdp": "InviteArrived",  # §4.6
    "mult-ip-in-header": 481,  # §4.7: a good BYE of no dialog
    "mult-ip-in-sdp": "InviteArrived",  # §4.8
    "ipv4-mapped-ipv6": "InviteArrived",  # §4.9
    "ipv6-bug-abnf-3-colons": "RequestArrived",  # §4.10
    "ipv6-correct-abnf-2-colons": "RequestArrived",
}


def message(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    found = parse_message(message(name))
    assert isinstance(found, Request)
    return found


def test_every_vector_has_an_expectation() -> None:
    assert {path.stem for path in FOLDER.glob("*.dat")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_torture(name: str) -> None:
    bench, expected = Bench(), EXPECTED[name]
    statuses = bench.statuses(message(name))
    told = [type(event).__name__ for event in bench.events()]
    assert (statuses, told) == (([expected], []) if isinstance(expected, int) else ([], [expected]))


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "2001:db8::10", None),
        ("port-ambiguous", "2001:db8::10:5070", None),
        ("port-unambiguous", "2001:db8::10", 5070),
        ("ipv6-bug-abnf-3-colons", "2001:db8::192.0.2.1", None),
        ("ipv6-correct-abnf-2-colons", "2001:db8::192.0.2.1", None),
    ],
)
def test_what_is_a_port_and_what_belongs_to_the_address(name: str, host: str, port: int | None) -> None:
    uri = request(name).uri
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port) == (host, port)


def test_the_extra_colon_is_not_written_again() -> None:
    assert str(request("ipv6-bug-abnf-3-colons").uri) == "sip:user@[2001:db8::192.0.2.1]"


@pytest.mark.parametrize("host", ["2001:db8:::1", "[2001:db8:::1]", "[:::192.0.2.1:::]", "[::1", "[]", "[1.2.3.4]"])
def test_other_colons_too_many_stay_mistakes(host: str) -> None:
    with pytest.raises(ParseError):
        SipUri.parse(f"sip:user@{host}")


def test_received_is_read_with_and_without_brackets_and_written_without() -> None:
    for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
        assert request(name).via.received == "2001:db8::9:255"
    answered = Via.parse("SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK1;rport").with_source("2001:db8::9:255", 5062)
    assert ";received=2001:db8::9:255;" in f"{answered};"


def test_addresses_of_both_families_in_one_list_of_vias() -> None:
    hosts = [Via.parse(value).host for value in request("mult-ip-in-header").headers.values("via")]
    assert hosts == ["2001:db8::9:1", "192.0.2.1", "2001:db8::9:255"]


def test_each_stream_of_a_description_has_its_own_address() -> None:
    offered = parse_sdp(request("mult-ip-in-sdp").body)
    assert [media.address for media in offered.media] == ["192.0.2.1", "2001:db8::1"]
    assert parse_sdp(request("ipv6-in-sdp").body).address == "2001:db8::20"
    assert parse_sdp(request("ipv4-mapped-ipv6").body).address == "::ffff:192.0.2.2"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:DB8:0:0::1", True),
        ("::ffff:192.0.2.1", "::FFFF:C000:201", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("Example.com", "example.com", True),
        ("example.com", "2001:db8::1", False),
        ("not:an:address", "NOT:an:address", True),
    ],
)
def test_one_address_may_be_written_in_many_ways(one: str, other: str, *, same: bool) -> None:
    assert same_host(one, other) is same
