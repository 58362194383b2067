"""Calls to numbers outside: which rule leads where, what is sent, what becomes of it when a provider does not do."""

import asyncio
from dataclasses import replace

import pytest

from media.api import MediaSilent, Play
from pbx.control.messages import Originate
from pbx.explain import explain
from storage.records import (
    EmployeeGroup,
    ExternalNumber,
    Forward,
    Group,
    Office,
    OutboundPolicy,
    OutboundRoute,
    RecordingPolicy,
    User,
)
from tests.support.builders import terminal
from tests.support.company import ANY, CLIENT, account, company, talk, user_of
from tests.support.prompts import keys_of


@pytest.mark.row("OUT-5")
@pytest.mark.row("OUT-6")
@pytest.mark.parametrize(
    ("dialled", "sent", "provider"),
    [
        ("+79161234567", "89161234567", "first"),  # +7 becomes 8
        ("89161234567", "+79161234567", "second"),  # 8 becomes +7
        ("2345678", "82345678", "second"),  # 8 goes before
        ("74952345678", "2345678", "first"),  # the area code goes
        ("5550", "5550", "first"),
    ],
)
async def test_the_first_rule_that_fits_says_what_is_dialled_and_where(dialled: str, sent: str, provider: str) -> None:
    routes = (
        OutboundRoute("Disabled", "third", disabled=True),
        OutboundRoute("Nobody", "third"),  # its provider is disabled
        OutboundRoute("Plus", "first", prefix="+7", rest=10, keep_plus=True, strip=2, prepend="8"),
        OutboundRoute("City", "first", prefix="7495", rest=7, strip=4),
        OutboundRoute("Eight", "second", prefix="(7|8)", rest=10, strip=1, prepend="+7"),
        OutboundRoute("Short", "second", prefix="", rest=7, prepend="8"),
        OutboundRoute("More of the same", "first", prefix="555", rest=1),
        OutboundRoute("Rest", "second", prefix="5", rest=-1),
    )
    third = account("third", disabled=True)
    async with company(*routes, providers=(account("first"), account("second"), third)) as (office, phone, telcos):
        call = phone.dial(dialled)
        ring = await telcos[provider].rung()
        assert user_of(ring) == sent
        await talk(call, ring)
    assert (office.row.to_number, office.row.provider_out, office.row.disposition) == (dialled, provider, "ANSWERED")
    assert not office.row.provider_in


@pytest.mark.row("OUT-7")
async def test_a_plus_is_no_part_of_the_number_unless_the_rule_wants_it() -> None:
    plus = OutboundRoute("Plus", "second", prefix="+7", keep_plus=True)
    async with company(OutboundRoute("Seven", "first", prefix="7", rest=10), plus) as (_, phone, telcos):
        for dialled in ("+79161234567", "79161234567"):
            call = phone.dial(dialled)
            ring = await telcos["first"].rung()
            assert user_of(ring) == CLIENT
            await talk(call, ring)
        call = phone.dial("+7916123456789")
        ring = await telcos["second"].rung()
        assert user_of(ring) == "+7916123456789"
        await talk(call, ring)


@pytest.mark.row("FEAT-33")
async def test_nothing_that_was_dialled_is_routed_but_keys() -> None:
    plus = OutboundRoute("Plus", "second", prefix="7", rest=10)
    async with company(replace(ANY, prefix="8"), plus) as (office, phone, telcos):
        colleague = await office.registered("202")
        for dialled in ("2%200_2", "ext.202;phone-context=7"):
            call = phone.dial_uri(f"sip:{dialled}@10.0.0.1")
            await talk(call, await colleague.rung())
        call = phone.dial_uri("sip:+7~916/123-45-67@10.0.0.1")
        ring = await telcos["second"].rung()
        assert user_of(ring) == CLIENT, "the leading + is no part of what rules match"
        await talk(call, ring)
        told = explain(office.pbx, "201", "2 0 2")
        assert (told.to_number, told.targets) == ("202", ("202",))
        office.pbx.originator.originate(Originate("201", "8 (916) 123-45-67"))
        own = await phone.rung()
        own.answer()
        ring = await telcos["first"].rung()
        assert user_of(ring) == "89161234567"
        ring.reject(486)
        await own.until_over()
        call = phone.dial_uri("sip:8(916)123-45-67;phone-context=x@10.0.0.1")
        ring = await telcos["first"].rung()
        assert user_of(ring) == "89161234567"
        await talk(call, ring)


@pytest.mark.row("OUT-8")
@pytest.mark.parametrize(
    ("status", "goes_on"),
    [
        *((408, True), (480, True), (500, True), (502, True), (503, True), (504, True), (404, True), (403, True)),
        *((486, False), (600, False), (603, False), (484, False)),
    ],
)
async def test_what_a_provider_answers_says_whether_the_next_one_is_asked(status: int, goes_on: bool) -> None:
    async with company(ANY) as (office, phone, telcos):
        call = phone.dial(CLIENT)
        (await telcos["first"].rung()).reject(status)
        if goes_on:
            await talk(call, await telcos["second"].rung(8))
            assert [(row.provider_out, row.disposition) for row in office.rows][1:] == [("second", "ANSWERED")]
        else:
            assert await call.until_over() == {600: 486}.get(status, status)
            assert not telcos["second"].calls
    assert [row.provider_out for row in office.rows] == ["first", "second"][: 1 + goes_on]
    assert {row.to_number for row in office.rows} == {CLIENT}


async def test_who_rings_for_ten_minutes_is_left_for_the_next_provider() -> None:
    async with company(ANY) as (office, phone, telcos):
        began = office.clock.now()
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        ring.ring()
        second = await telcos["second"].rung()
        assert office.clock.now() - began == pytest.approx(600, abs=1)
        assert await ring.until_over() == 487
        await talk(call, second)


async def test_a_silent_provider_is_given_up_within_a_few_seconds() -> None:
    async with company(ANY) as (office, phone, telcos):
        telcos["first"].wire.detach(telcos["first"].address)
        telcos["first"].is_gone = True
        began = office.clock.now()
        call = phone.dial(CLIENT)
        ring = await telcos["second"].rung()
        assert office.clock.now() - began < 14
        await talk(call, ring)
    assert [(row.provider_out, row.cause) for row in office.rows] == [("first", "timeout"), ("second", "normal")]


async def test_a_provider_that_dies_while_it_rings_is_left_for_the_next_one() -> None:
    async with company(ANY) as (office, phone, telcos):
        call = phone.dial(CLIENT)
        (await telcos["first"].rung()).ring()
        await call.until_ringing()
        await asyncio.sleep(3)
        telcos["first"].wire.detach(telcos["first"].address)
        telcos["first"].is_gone = True
        died = office.clock.now()
        ring = await telcos["second"].rung()
        assert office.clock.now() - died < 14
        await talk(call, ring)
    assert [row.provider_out for row in office.rows] == ["first", "second"]


async def test_a_provider_that_is_known_to_be_down_is_not_asked_at_all() -> None:
    async with company(ANY) as (office, phone, telcos):
        telcos["first"].wire.detach(telcos["first"].address)
        telcos["first"].is_gone = True
        await asyncio.sleep(90)
        began = office.clock.now()
        call = phone.dial(CLIENT)
        ring = await telcos["second"].rung()
        assert office.clock.now() - began < 0.5
        await talk(call, ring)
    assert [row.provider_out for row in office.rows] == ["second"]


@pytest.mark.row("OUT-9")
@pytest.mark.parametrize("where", ["route", "provider"])
async def test_a_rule_or_a_provider_may_be_the_last_word(where: str) -> None:
    first = OutboundRoute("Only", "first", only=where == "route")
    providers = (account("first", only=where == "provider"), account("second"))
    async with company(first, OutboundRoute("Next", "second"), providers=providers) as (_, phone, telcos):
        call = phone.dial(CLIENT)
        (await telcos["first"].rung()).reject(503)
        assert await call.until_over() == 480
        assert not telcos["second"].calls


@pytest.mark.row("OUT-15")
async def test_a_provider_that_carries_as_many_calls_as_it_may_is_passed_over() -> None:
    providers = (account("first", max_calls=1), account("second"))
    async with company(OutboundRoute("A", "first"), OutboundRoute("B", "second"), providers=providers) as (
        office,
        phone,
        telcos,
    ):
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        second = phone.dial("79160000000")
        await talk(second, await telcos["second"].rung())
        assert office.services.channels.count("first") == 1
        await talk(call, ring)
        await asyncio.sleep(1)
        assert office.services.channels.numbers() == []
        third = phone.dial(CLIENT)
        await talk(third, await telcos["first"].rung())


@pytest.mark.row("OUT-13")
async def test_a_rule_may_use_the_provider_with_the_fewest_calls() -> None:
    providers = (account("first", max_calls=2), account("second", max_calls=2))
    async with company(replace(ANY, order="least_used"), providers=providers) as (_, phone, telcos):
        calls = []
        for provider in ("first", "second", "first", "second"):
            call = phone.dial(CLIENT)
            calls.append((call, await telcos[provider].rung(5)))
        assert await phone.dial(CLIENT).until_over() == 480  # both carry as many as they may
        for call, ring in calls:
            await talk(call, ring)


@pytest.mark.row("FEAT-34")
@pytest.mark.parametrize(
    ("dialled", "refusal", "said", "status"),
    [
        ("199", 0, "en:call-number-unknown", 404),
        (CLIENT, 500, "en:call-sorry", 500),
        ("+4989123456", 0, "en:call-cannot-complete", 404),
    ],
)
async def test_who_reaches_nobody_hears_why_before_any_answer(
    dialled: str, refusal: int, said: str, status: int
) -> None:
    rule = OutboundRoute("Mobiles", "first", prefix="79", rest=9)
    async with company(rule) as (office, phone, telcos):
        call = phone.dial(dialled)
        if refusal:
            (await telcos["first"].rung()).reject(refusal)
        await asyncio.sleep(1)
        (play,) = [each.source for each in office.engine.of(Play)]
        assert keys_of(play) == [said]
        assert not call.is_answered
        assert not call.is_over, "it is heard to the end"
        assert await call.until_over() == status
        assert not call.is_answered


OWN_LINE = ExternalNumber("74950000099", "second")
LINED = terminal("203", line="74950000099", owner="ann")


@pytest.mark.row("EXT-17")
@pytest.mark.row("AMB-17")
async def test_a_terminal_with_a_line_of_its_own_calls_over_it_first_and_shows_its_number() -> None:
    second = account("second", show_caller=True)
    rules = (OutboundRoute("City", "first", caller_id="74950000001"), OutboundRoute("Eight", "second", prepend="8"))
    office = Office("Test", external_numbers=(OWN_LINE,))
    terminals = (terminal("201"), LINED)
    async with company(*rules, providers=(account("first"), second), terminals=terminals, office=office) as (
        opened, others, telcos,
    ):  # fmt: skip
        phone = await opened.registered("203")
        said = {each.rule: each.why for each in explain(opened.pbx, "203", CLIENT).rules}
        assert said["own line 74950000099"] == f"8{CLIENT} is dialled over second as 74950000099"
        call = phone.dial(CLIENT)
        ring = await telcos["second"].rung()
        assert ring.invite is not None
        assert user_of(ring) == f"8{CLIENT}", "as the rule for that provider writes it"
        assert "74950000099" in str(ring.invite.headers.get("from"))
        await talk(call, ring)
        assert (opened.rows[-1].provider_out, opened.rows[-1].external_number) == ("second", "74950000099")
        call = phone.dial(CLIENT)
        (await telcos["second"].rung()).reject(503)
        await talk(call, await telcos["first"].rung())  # the rules follow
        call = others.dial(CLIENT)
        await talk(call, await telcos["first"].rung())


@pytest.mark.row("EXT-17")
async def test_what_a_terminal_forwards_goes_over_its_line_and_who_may_not_call_outside_has_none() -> None:
    forward = Forward(always=f"+{CLIENT}")
    inside = EmployeeGroup("inside", members=("ann",))
    for groups, is_allowed in (((), True), ((inside,), False)):
        office = Office("Test", external_numbers=(OWN_LINE,), employee_groups=groups)
        terminals = (terminal("201"), replace(LINED, forward=forward))
        async with company(terminals=terminals, office=office) as (_, phone, telcos):
            call = phone.dial("203")
            if is_allowed:
                await talk(call, await telcos["second"].rung(5))
            else:
                assert await call.until_over() == 480
                assert not any(telco.is_ringing for telco in telcos.values())


@pytest.mark.row("GRP-5")
@pytest.mark.row("OUT-12")
@pytest.mark.parametrize(
    ("routes", "leads"), [(("*",), "first"), (("City", "World"), "first"), (("World",), "second"), ((), "")]
)
async def test_a_group_of_employees_uses_the_rules_that_it_has(routes: tuple[str, ...], leads: str) -> None:
    group = EmployeeGroup("sales", members=("ann",), routes=routes)
    rules = (OutboundRoute("City", "first"), OutboundRoute("World", "second"))
    office = Office("Test", employee_groups=(group,))
    async with company(*rules, office=office) as (opened, free, telcos):
        phone = await opened.registered("202")
        call = phone.dial(CLIENT)
        if leads:
            await talk(call, await telcos[leads].rung())
        else:
            assert await call.until_over() == 403
        await talk(free.dial(CLIENT), await telcos["first"].rung())  # who is in no group may all
        await free.dial("202").until_over()


@pytest.mark.row("OUT-10")
async def test_an_emergency_number_passes_whoever_dials_it_and_whatever_is_broken() -> None:
    group = EmployeeGroup("nobody", is_default=True)
    office = Office("Test", employee_groups=(group,), outbound=OutboundPolicy(("112", "10X")))
    only = OutboundRoute("Only", "first", prefix="1", rest=-1, only=True, prepend="0")
    providers = (account("first", max_calls=1), account("second", kind="ip", login=""))
    async with company(only, office=office, providers=providers) as (_, phone, telcos):
        assert await phone.dial("1234").until_over() == 403
        calls = [phone.dial("112"), phone.dial("102")]  # no limit of calls holds
        rings = [await telcos["first"].rung() for _ in calls]
        assert [user_of(each) for each in rings] == ["0112", "0102"]
        rings[1].reject(603)  # and no answer is the last word
        again = await telcos["first"].rung()
        assert user_of(again) == "102"
        again.reject(404)
        last = await telcos["second"].rung()
        assert user_of(last) == "102"
        await talk(calls[1], last)
        await talk(calls[0], rings[0])


async def test_an_emergency_number_is_tried_where_nobody_seems_to_be() -> None:
    async with company(providers=(account("first"),)) as (_, phone, telcos):
        telcos["first"].statuses["REGISTER"] = 403
        await asyncio.sleep(3700)
        assert await phone.dial(CLIENT).until_over() == 404
        call = phone.dial("112")
        await talk(call, await telcos["first"].rung())


async def test_a_number_without_a_rule_goes_nowhere() -> None:
    async with company(OutboundRoute("City", "first", prefix="7495")) as (office, phone, telcos):
        for number in (CLIENT, "+" + CLIENT, "74", "299"):
            assert await phone.dial(number).until_over() == 404
        assert not telcos["first"].calls
    assert {row.disposition for row in office.rows} == {"FAILED"}


@pytest.mark.row("FWD-13")
@pytest.mark.parametrize(("routes", "shown"), [(("*",), "74950000202"), ((), "")])
async def test_a_forwarded_call_has_the_rights_and_the_number_of_who_forwards_it(
    routes: tuple[str, ...], shown: str
) -> None:
    group = EmployeeGroup("ann", members=("ann",), routes=routes, caller_id=shown)
    terminals = (terminal("201"), terminal("202", owner="ann", forward=Forward(always=f"+{CLIENT}")))
    office = Office("Test", employee_groups=(group,))
    providers = (account("first", show_caller=True),)
    async with company(OutboundRoute("All", "first"), terminals=terminals, office=office, providers=providers) as (
        opened,
        phone,
        telcos,
    ):
        call = phone.dial("202")
        if not routes:
            assert await call.until_over() == 480
            return
        ring = await telcos["first"].rung()
        assert ring.invite is not None
        assert shown in str(ring.invite.from_)
        await talk(call, ring)
    assert [(row.to_number, row.provider_out, row.external_number) for row in opened.rows] == [
        ("202", "", ""),
        (f"+{CLIENT}", "first", shown),
    ]


@pytest.mark.row("USR-5")
async def test_a_mobile_is_dialled_as_its_person_wants_and_shown_as_it_is() -> None:
    ann = User("ann", "Ann", mobile="89164577878", mobile_dial="79164577878")
    async with company(OutboundRoute("Seven", "first", prefix="7", rest=10), users=(ann,)) as (office, phone, telcos):
        call = phone.dial("89164577878")
        ring = await telcos["first"].rung()
        assert user_of(ring) == "79164577878"
        await talk(call, ring)
    assert (office.row.to_number, office.row.to_name) == ("89164577878", "Ann")


@pytest.mark.row("USR-4")
async def test_a_mobile_is_a_number_like_any_other_to_dial_to_lead_to_and_to_forward_to() -> None:
    ann = User("ann", "Ann", mobile="+79164577878")
    seven = OutboundRoute("Seven", "first", prefix="7", rest=10)
    office = Office("Test", groups=(Group("600", members=("202",), timeout_target="+79164577878", ring_time=1),))
    async with company(seven, office=office, users=(ann,)) as (opened, phone, telcos):
        for dialled in ("+79164577878", "600"):  # nobody is registered at 202
            call = phone.dial(dialled)
            ring = await telcos["first"].rung()
            assert user_of(ring) == "79164577878"
            await talk(call, ring)
            last = opened.rows[-1]
            assert (last.to_number, last.to_name, last.disposition) == ("+79164577878", "Ann", "ANSWERED")


@pytest.mark.row("OUT-16")
async def test_explain_tells_every_rule_what_is_dialled_and_as_whom() -> None:
    group = EmployeeGroup("sales", is_default=True, routes=("Plus", "All", "Full"), caller_id="74950000000")
    providers = (account("first", show_caller=True), account("second"), account("third", max_calls=1))
    routes = (
        OutboundRoute("City", "first", prefix="7495"),
        OutboundRoute("World", "first"),
        OutboundRoute("Full", "third", strip=1),
        OutboundRoute("All", "first", ("second",), strip=1, prepend="8"),
    )
    office = Office("Test", employee_groups=(group,))
    async with company(*routes, providers=providers, office=office) as (opened, phone, telcos):
        call = phone.dial("70000000")
        ring = await telcos["third"].rung()
        found = explain(opened.pbx, "201", CLIENT)
        ring.reject(486)
        await call.until_over()
    assert [(each.rule, each.matched, each.why) for each in found.rules[2:]] == [
        ("outbound City", False, "its template does not fit 79161234567"),
        ("outbound World", False, "the group sales may not use it"),
        ("outbound Full", True, "9161234567 is dialled over third as login-third"),
        ("outbound All", True, "89161234567 is dialled over first as 74950000000, over second as login-second"),
        ("provider", False, "third carries 1 of 1 calls"),
    ]
    assert found.targets == (CLIENT,)
    assert found.result == (
        "final target: 79161234567 is dialled as 89161234567 over first as 74950000000,"
        " else 89161234567 over second as login-second"
    )


@pytest.mark.row("REG-10")
async def test_a_provider_may_be_silent_for_a_minute_and_for_five_while_its_side_holds() -> None:
    async with company(ANY) as (office, phone, telcos):
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        ring.answer()
        await call.until_answered()
        await asyncio.sleep(1)
        outside = office.endpoint_of(CLIENT)
        assert outside.spec is not None
        assert outside.spec.silence_s == 60.0
        ring.hold()
        await ring.until_modified()
        assert outside.spec.silence_s == 300.0
        assert office.endpoint_of("201").spec.silence_s == 120.0  # type: ignore[union-attr]
        office.engine.emit(MediaSilent(outside.endpoint, 300.0))
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
    assert office.row.cause == "media_failed"


@pytest.mark.row("GRP-6")
async def test_a_group_is_shown_as_it_wants_on_each_route_and_as_the_route_says_without_it() -> None:
    own = {"B": "74950000002"}
    group = EmployeeGroup("ann", members=("ann",), routes=("*",), caller_id="74950000001", caller_ids=own)
    routes = (OutboundRoute("A", "first", prefix="1", caller_id="7495000"), OutboundRoute("B", "first", prefix="2"))
    providers = (account("first", show_caller=True),)
    office = Office("Test", employee_groups=(group,))
    async with company(*routes, office=office, providers=providers) as (opened, free, telcos):
        member = await opened.registered("202")
        shown = []
        for phone, number in ((member, "1234567"), (member, "2234567"), (free, "1234567"), (free, "2234567")):
            call = phone.dial(number)
            ring = await telcos["first"].rung()
            assert ring.invite is not None
            shown.append(str(ring.invite.from_.uri).partition("@")[0])
            await talk(call, ring)
            await asyncio.sleep(1)
    assert shown == ["sip:74950000001", "sip:74950000002", "sip:7495000", "sip:201"]
    assert [row.from_number for row in opened.rows] == ["202", "202", "201", "201"]


@pytest.mark.row("INB-8")
@pytest.mark.row("REC-3")
async def test_an_external_number_says_whether_calls_with_it_outside_are_recorded() -> None:
    shown = "74950000001"
    for wanted, enabled, is_recorded in (
        *((None, True, True), (None, False, False)),
        *((False, True, False), (True, False, True)),
    ):
        number = ExternalNumber(shown, "first", record_out=wanted)
        office = Office("Test", recording=RecordingPolicy(enabled=enabled), external_numbers=(number,))
        async with company(ANY, providers=(account("first", login=shown),), office=office) as (opened, phone, telcos):
            call = phone.dial(CLIENT)
            ring = await telcos["first"].rung()
            ring.answer()
            await call.until_answered()
            await asyncio.sleep(1)
            assert bool(opened.engine.recordings) is is_recorded
            call.hangup()
            await ring.until_over()


@pytest.mark.row("FWD-11")
@pytest.mark.parametrize("to", ["inside", "outside", "barred"])
async def test_a_phone_sends_a_call_on_inside_or_outside_by_the_rights_of_its_own_terminal(to: str) -> None:
    group = EmployeeGroup("sales", members=("ann",), routes=() if to == "barred" else ("All",), caller_id="74950000007")
    first = account("first", show_caller=True)
    terminals = (terminal("201"), terminal("202", owner="ann"), terminal("203"))
    office = Office("Test", employee_groups=(group,))
    async with company(ANY, providers=(first, account("second")), terminals=terminals, office=office) as (
        opened, caller, telcos,
    ):  # fmt: skip
        phone, other = await opened.registered("202"), await opened.registered("203")
        call = caller.dial("202")
        ring = await phone.rung()
        contact = "<sip:203@10.0.0.1>" if to == "inside" else f"<sip:+{CLIENT}@10.0.0.1>"
        ring._do(lambda now: ring.on.reject(302, now, extra=[("Contact", contact)]))
        if to == "inside":
            await talk(call, await other.rung(5))
        elif to == "outside":
            there = await telcos["first"].rung(5)
            assert there.invite is not None
            assert "74950000007" in str(there.invite.headers.get("from"))
            await talk(call, there)
        else:
            assert await call.until_over() == 480
            assert not telcos["first"].is_ringing
