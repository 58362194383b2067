"""Who calls, as a provider is told it: PRV-9, OUT-11, GRP-6."""

from dataclasses import replace

import pytest

from pbx.identity import Fields, on_line
from pbx.party import Party, PartyKind
from pbx.routing import WayOut
from storage.records import Provider

BELKINA = Party(PartyKind.TERMINAL, "201", "Belkina")
ACCOUNT = Provider("telco", "sip.telco.test", login="7495")


@pytest.mark.row("PRV-9")
@pytest.mark.parametrize(
    ("settings", "caller_id", "from_"),
    [
        ({}, "", "<sip:7495@sip.telco.test>"),
        ({}, "7499", "<sip:7495@sip.telco.test>"),  # the operator would refuse it
        ({"from_user": "trunk"}, "", "<sip:trunk@sip.telco.test>"),
        ({"from_domain": "ims.test"}, "", "<sip:7495@ims.test>"),
        ({"show_caller": True}, "7499", "<sip:7499@sip.telco.test>"),
        ({"show_caller": True}, "", '"Belkina" <sip:201@sip.telco.test>'),
        ({"login": ""}, "", '"Belkina" <sip:201@sip.telco.test>'),
        ({"login": "", "from_user": "gw"}, "", "<sip:gw@sip.telco.test>"),
        ({"host": "2001:db8::1"}, "", "<sip:7495@[2001:db8::1]>"),
    ],
)
def test_from_is_the_account_or_the_caller(settings: dict[str, object], caller_id: str, from_: str) -> None:
    provider = replace(ACCOUNT, **settings)  # type: ignore[arg-type]
    assert on_line(provider, BELKINA, caller_id) == (from_, [])
    shown = WayOut("", provider, "1", caller_id).shown or BELKINA.number
    assert f"sip:{shown}@" in from_


@pytest.mark.row("OUT-11")
@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ("asserted", [("P-Asserted-Identity", "<sip:7499@sip.telco.test>")]),
        ("preferred", [("P-Preferred-Identity", "<sip:7499@sip.telco.test>")]),
        (
            "remote_party",
            [("Remote-Party-ID", "<sip:7499@sip.telco.test>;party=calling;screen=yes;privacy=off")],
        ),
    ],
)
def test_other_fields_name_the_caller_beside_the_account(identity: str, said: Fields) -> None:
    provider = replace(ACCOUNT, identity=identity)
    assert on_line(provider, BELKINA, "7499") == ("<sip:7495@sip.telco.test>", said)
    assert WayOut("", provider, "1", "7499").shown == "7499"


@pytest.mark.parametrize("identity", ["none", "asserted", "remote_party"])
def test_who_hides_is_known_to_the_provider_alone(identity: str) -> None:
    hidden = replace(BELKINA, is_private=True)
    from_, said = on_line(replace(ACCOUNT, identity=identity), hidden, "")
    assert from_ == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert ("Privacy", "id") in said
    assert any("sip:7495@sip.telco.test" in value for _, value in said)
