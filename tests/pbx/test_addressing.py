"""Parties in SIP messages, and dialled numbers out of them."""

import pytest

from pbx.addressing import bracketed, contact, dialled, identity
from pbx.party import Party, PartyKind
from sipcore.flow import Flow
from sipcore.headers import From
from sipcore.message import Request
from sipcore.parse import parse_message


def invite(uri: str) -> Request:
    text = (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
        "Call-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"
    )
    message = parse_message(text.encode())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:102@10.0.0.1", "102"),
        ("sip:102@10.0.0.1;user=phone", "102"),
        ("sip:+7(495)123-45-67@10.0.0.1", "+74951234567"),
        ("tel:+7-495-123", "+7495123"),
        ("sip:10.0.0.1", ""),
        ("sip:%31%30%32@10.0.0.1", "102"),
        ("sip:anna@10.0.0.1", "anna"),
        ("urn:service:sos", ""),
    ],
)
def test_the_dialled_number_is_the_user_of_the_request_uri(uri: str, number: str) -> None:
    assert dialled(invite(uri)) == number


@pytest.mark.parametrize("name", ["", "Anna", 'Anna "the voice" \\ Belkina', "Белкина Ирина", "a, b <c@d>"])
@pytest.mark.parametrize("host", ["10.0.0.1", "2001:db8::1"])
def test_an_identity_reads_back_as_name_and_number(name: str, host: str) -> None:
    written = identity(Party(PartyKind.TERMINAL, "101", name), host)
    read = From.parse(written)
    assert read.display == name
    assert str(read.uri) == f"sip:101@{bracketed(host)}"


def test_our_contact_names_the_path() -> None:
    udp = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5061))
    assert contact("101", udp) == "<sip:101@10.0.0.1:5060>"
    tcp = Flow("TCP", ("2001:db8::1", 5070), ("2001:db8::2", 5061), 3)
    assert contact("101", tcp) == "<sip:101@[2001:db8::1]:5070;transport=tcp>"
    for transport in ("WS", "WSS"):  # RFC 7118 §5.2 has one parameter for both
        web = Flow(transport, ("10.0.0.1", 8088), ("10.0.0.2", 5061), 3)
        assert contact("101", web) == "<sip:101@10.0.0.1:8088;transport=ws>"
