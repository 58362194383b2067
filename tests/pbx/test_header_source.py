"""Numbers that providers write into header fields of their own (INB-22, INB-23), at calls that they bring."""

import asyncio
from dataclasses import replace

import pytest

from pbx.arrival import Arrival
from pbx.header_source import Said, called_said, caller_said
from sipcore.build import new_request
from sipcore.message import Request
from sipcore.uri import SipUri
from storage.records import NumberRule, Provider
from tests.pbx.test_arrival import BY_LOGIN, reached

TELCO = Provider("telco", "192.0.2.10", login="74950000000")


def invite(*extra: tuple[str, str]) -> Request:
    return new_request(
        "INVITE",
        SipUri.parse("sip:74951111111@zvon.test"),
        from_='"From" <sip:79160000001@telco.test>;tag=1',
        to='"To" <sip:74952222222@telco.test>',
        call_id="1",
        cseq=1,
        extra=extra,
    )


FIELDS = (
    ("P-Asserted-Identity", '"Asserted" <sip:+79160000002@telco.test>'),
    ("Remote-Party-ID", '"Remote" <sip:79160000003@telco.test>;party=calling'),
    ("Diversion", "<sip:74953333333@telco.test>;reason=unconditional"),
    ("X-Caller", "name=Ann;number=79160000004;"),
    ("X-roistat-phone", "74954444444"),
    ("CALLED_DID", "did:8 (495) 555-55-55 ext 1"),
)


@pytest.mark.row("INB-22")
@pytest.mark.parametrize(
    ("settings", "number", "name"),
    [
        ({}, "79160000002", "Asserted"),
        ({"cid_source": "From"}, "79160000001", "From"),
        ({"cid_source": "Remote-Party-ID"}, "79160000003", "Remote"),
        ({"cid_source": "p-asserted-identity"}, "79160000002", "Asserted"),
        ({"cid_source": "X-Caller", "cid_between": ("number=", ";")}, "79160000004", ""),
        (
            {"cid_source": "X-Caller", "cid_regex": "=(?P<name>[^;]*);number=(?P<number>[0-9]*)"},
            "79160000004",
            "Ann",
        ),
        ({"cid_source": "X-Caller", "cid_regex": "number=([0-9]{6})"}, "791600", ""),
        ({"cid_source": "X-Caller", "cid_between": ("nobody=",)}, "79160000002", "Asserted"),
        ({"cid_source": "X-Absent"}, "79160000002", "Asserted"),
    ],
)
def test_who_calls_stands_where_the_office_says(settings: dict[str, object], number: str, name: str) -> None:
    provider = replace(TELCO, **settings)  # type: ignore[arg-type]
    caller = Arrival.of(invite(*FIELDS), (provider,), ()).caller
    assert (caller.number, caller.name, caller.is_private) == (number, name, False)


def test_who_hides_stays_hidden_and_a_field_of_nonsense_says_nothing() -> None:
    provider = replace(TELCO, cid_source="X-Caller")
    hidden = Arrival.of(invite(("X-Caller", "79160000004"), ("Privacy", "id")), (provider,), ()).caller
    assert (hidden.number, hidden.is_private) == ("79160000004", True)
    for nonsense in ("", "<>", "name\x00", "Ann Smith", "x" * 60_000):
        assert Arrival.of(invite(("X-Caller", nonsense)), (provider,), ()).caller.number == "79160000001"


@pytest.mark.parametrize(
    ("settings", "called"),
    [
        ({}, "74951111111"),
        ({"did_source": "To"}, "74952222222"),
        ({"did_source": "Diversion"}, "74953333333"),
        ({"did_source": "X-roistat-phone"}, "74954444444"),
        ({"did_source": "CALLED-DID"}, "74951111111"),
        ({"did_source": "CALLED_DID", "did_between": ("did:", " ext")}, "84955555555"),
        ({"did_source": "CALLED_DID", "did_regex": r"did:([^e]*)"}, "84955555555"),
        ({"did_source": "X-Absent"}, "74951111111"),
    ],
)
def test_which_number_was_called_stands_where_the_office_says(settings: dict[str, object], called: str) -> None:
    provider = replace(TELCO, **settings)  # type: ignore[arg-type]
    assert Arrival.of(invite(*FIELDS), (provider,), ()).called == called


def test_both_are_read_by_themselves() -> None:
    provider = replace(TELCO, cid_source="From", did_source="To")
    assert caller_said(invite(), provider) == Said("79160000001", "From")
    assert called_said(invite(), provider) == Said("74952222222", "To")
    assert caller_said(invite(), TELCO) is None


@pytest.mark.row("INB-23")
async def test_routing_has_the_number_of_the_field_and_the_log_shows_what_was_read() -> None:
    provider = replace(BY_LOGIN, did_source="X-Did", did_between=("<", ">"), log_sources=True)
    async with reached(provider) as (office, telco, desk):
        for extra in ((("X-Did", "line <74957654321>"),), ()):
            call = telco.call("74951234567", "79161234567", extra=extra)
            await call.until_answered()
            call.hangup()
            await asyncio.sleep(1)
        logged = [each for each in office.logs if each["event"] == "what a provider says of a call"]
    assert [each.called for each in desk.arrivals] == ["74957654321", "74951234567"]
    assert [row.external_number for row in office.rows] == ["74957654321", "74951234567"]
    assert [(each["did"], each["called"]) for each in logged] == [
        ("line <74957654321>", "74957654321"),
        ("", "74951234567"),
    ]


def test_what_was_read_is_written_as_rules_have_it() -> None:
    provider = replace(TELCO, cid_source="X-Caller")
    rules = (NumberRule("eight", length=11, prefix="8", replace="7"),)
    assert Arrival.of(invite(("X-Caller", "89160000009")), (provider,), (), rules).caller.number == "79160000009"
