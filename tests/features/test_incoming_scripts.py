"""Scripts that look at calls from outside, the order of all steps (INB-21), and employees who dial on (INB-31)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from media.api import Play, Playlist
from pbx.explain import explain
from storage.records import (
    Application,
    CallerList,
    EmployeeGroup,
    InboundPolicy,
    NumberRule,
    OutboundRoute,
    Provider,
    User,
    VoicemailBox,
)
from tests.features.test_incoming import CLIENT, DID, NUMBER, SHUT, TELCO, called, finish_play, played, ringing, talk
from tests.support.builders import terminal
from tests.support.company import user_of
from tests.support.office import VirtualOffice
from tests.support.prompts import keys_of
from tests.support.scripts import Threads

MOBILE = "79163334455"
ANN = User("ann", "Ann", mobile=f"+{MOBILE}")
DESK = terminal("101", owner="ann", max_calls=2)


def applications(folder: Path, **sources: str) -> tuple[Application, ...]:
    """One at 770, 771, … for each source."""
    found = []
    for number, (name, body) in enumerate(sources.items(), 770):
        file = folder / f"{name}.py"
        file.write_text(f"def main(call):\n    {body}\n")
        found.append(Application(str(number), str(file)))
    return tuple(found)


def with_threads(office: VirtualOffice) -> None:
    office.services.scripts = Threads(thinks_s=0.5)


@pytest.mark.row("INB-21")
async def test_the_steps_of_a_call_from_outside_come_in_their_order(tmp_path: Path) -> None:
    """Numbers are read and written first, then come lists, the script of the office, the hours, the script of the
    account, the greeting, the rules; each sees what those before it have made of the call."""
    scripts = applications(
        tmp_path,
        office='call.log(f"office {call.caller} {call.number}"); call.variables["seen"] = "by the office"',
        account='call.log(f"account {call.variables[\'seen\']}"); call.set_caller(name="Known")',
    )
    provider = replace(TELCO, cid_source="X-Caller", did_source="X-Did", script="771")
    black = CallerList("black", callers=("79160000000",))
    number = replace(NUMBER, greeting="welcome", calendar="shut", closed_target="busy")
    async with called(
        number=number,
        providers=(provider,),
        applications=scripts,
        calendars=(SHUT,),
        caller_lists=(black,),
        number_rules=(NumberRule("eight", length=11, prefix="8", replace="7"),),
        inbound=InboundPolicy(script="770"),
    ) as (office, telco):
        with_threads(office)

        def extra(caller: str) -> tuple[tuple[str, str], ...]:
            return ("X-Caller", caller), ("X-Did", DID)

        listed = telco.call("7000", "1", extra=extra("89160000000"))
        assert await listed.until_over() == 603
        assert not _said(office), "whoever is on a list is seen by no script"
        closed = telco.call("7000", "1", extra=extra(f"8{CLIENT[1:]}"))
        assert await closed.until_over() == 486
        assert _said(office) == [f"office {CLIENT} {DID}"], "the hours come before the script of the account"
        await asyncio.sleep(11 * 3600)  # a quarter past nine
        for each in office.phones:
            if each is not telco:
                await each.register()
        call = telco.call("7000", "1", extra=extra(f"8{CLIENT[1:]}"))
        await call.until_answered()
        assert _said(office)[1:] == [f"office {CLIENT} {DID}", "account by the office"]
        assert played(office) == ["welcome.wav"], "the script of the account comes before the greeting"
        await finish_play(office)
        ring = await ringing(office, "101")
        assert ring.invite is not None
        assert "Known" in str(ring.invite.from_)
        await talk(call, ring, is_answered=True)
        found = explain(office.pbx, CLIENT, DID)
    rules = [each.rule for each in found.rules]
    in_order = ["caller_lists", "inbound.script", "calendar", "provider.script", "greeting", f"external number {DID}"]
    assert [rule for rule in rules if rule in in_order] == in_order


def _said(office: VirtualOffice) -> list[str]:
    return [str(each["text"]) for each in office.logs if each["event"] == "the call script says"]


@pytest.mark.row("CAL-14")
async def test_a_trunk_a_caller_and_a_script_may_come_outside_the_hours(tmp_path: Path) -> None:
    script = 'call.variables["ignore_time"] = "1" if call.caller.endswith("1") else "0"'
    number = replace(NUMBER, calendar="shut", closed_target="busy")
    policy = InboundPolicy(always_open_callers=("7999X",), script="770")
    trunk = Provider("trunk", "192.0.2.20", kind="ip")
    async with called(
        number=number,
        calendars=(SHUT,),
        providers=(TELCO, trunk),
        applications=applications(tmp_path, office=script),
        inbound=replace(policy, always_open_callers=("7999.",), always_open_providers=("trunk",)),
        external_numbers=(number, replace(number, number="201", provider="trunk")),
    ) as (office, telco):
        with_threads(office)
        other = office.telco("192.0.2.20")
        await asyncio.sleep(1)
        assert await telco.call(DID, "79160000002").until_over() == 486
        for server, wanted, caller in ((telco, DID, "79160000001"), (telco, DID, "79990000002"), (other, "201", "5")):
            call = server.call(wanted, caller)
            await talk(call, await ringing(office, "101"))


async def test_a_script_may_end_a_call_or_send_it_on_and_where_it_fails_the_call_goes_on(tmp_path: Path) -> None:
    source = """
    if call.caller.endswith("1"): call.hangup("declined")
    if call.caller.endswith("2"): call.transfer("102")
    if call.caller.endswith("3"): raise RuntimeError("no database")"""
    async with called(
        applications=applications(tmp_path, office=source.strip()),
        inbound=InboundPolicy(script="770"),
    ) as (office, telco):
        with_threads(office)
        office.may_log.add("the call script has failed, its call goes on")
        assert await telco.call(DID, "79160000001").until_over() == 603
        await talk(telco.call(DID, "79160000002"), await ringing(office, "102"))
        await talk(telco.call(DID, "79160000003"), await ringing(office, "101"))
        why = [str(each["why"]) for each in office.logs if each["event"].startswith("the call script has failed")]
    assert "no database" in why[0]


@pytest.mark.row("INB-31")
async def test_an_employee_dials_on_from_the_mobile_with_own_rights_and_number() -> None:
    group = EmployeeGroup("all", members=("ann",), routes=("All",), caller_id="74950000202")
    number = replace(NUMBER, target="102", employee_dial=True)
    async with called(
        number=number,
        terminals=(DESK, terminal("102", max_calls=2), terminal("103")),
        users=(ANN,),
        providers=(replace(TELCO, show_caller=True),),
        employee_groups=(group,),
        outbound_routes=(OutboundRoute("All", "telco", prefix="8"), OutboundRoute("Barred", "telco", prefix="9")),
    ) as (office, telco):
        call = telco.call(DID, f"8{MOBILE[1:]}")
        await call.until_answered()
        await _dial(office, f"8{MOBILE[1:]}", "84957654321")
        out = await telco.rung()
        assert user_of(out) == "84957654321"
        assert out.invite is not None
        assert "74950000202" in str(out.invite.from_)
        out.answer()
        await out.until_confirmed()
        await asyncio.sleep(2)
        assert office.engine.recordings, "it is recorded"
        call.hangup()
        assert await out.until_over() == 200
        await asyncio.sleep(1)
        assert (office.rows[-1].to_number, office.rows[-1].provider_out) == ("84957654321", "telco")
        dialled_on = [each for each in office.logs if each["event"] == "an employee dials on"]
        assert [(each["employee"], each["number"]) for each in dialled_on] == [("101", "84957654321")]

        barred = telco.call(DID, MOBILE)
        await barred.until_answered()
        await _dial(office, MOBILE, "94957654321")
        await asyncio.sleep(10)
        assert len(telco.calls) == 3, "the group may not use that rule"
        await barred.until_over()

        silent = telco.call(DID, MOBILE)
        await silent.until_answered()
        await finish_play(office, MOBILE)
        await talk(silent, await ringing(office, "102", 10), is_answered=True)
        for stranger in (CLIENT, "334455"):
            call = telco.call(DID, stranger)
            await talk(call, await ringing(office, "102"))
        found = {each.rule: each.why for each in explain(office.pbx, MOBILE, DID).rules}
        assert found["employee_dial"] == "dials on as 101"


async def test_an_employee_with_a_pin_gives_it_first() -> None:
    number = replace(NUMBER, target="102", employee_dial=True)
    box = VoicemailBox("101", pin="2580")
    async with called(
        number=number, terminals=(DESK, terminal("102", max_calls=2)), users=(ANN,), voicemail_boxes=(box,)
    ) as (office, telco):
        for pins, is_known in ((("1111", "2580"), True), (("1111", "2222", "3333"), False)):
            call = telco.call(DID, MOBILE)
            await call.until_answered()
            for pin in pins:
                await _dial(office, MOBILE, f"{pin}#")
            if is_known:
                await _dial(office, MOBILE, "102")
            await talk(call, await ringing(office, "102", 15), is_answered=True)
        sources = [each.source for each in office.engine.of(Play) if isinstance(each.source, Playlist)]
        asked = [key for each in sources for key in keys_of(each)]
    assert sum("enter-pin" in each for each in asked) == 2


async def _dial(office: VirtualOffice, caller: str, digits: str) -> None:
    await asyncio.sleep(0.5)
    for digit in digits:
        office.engine.press(office.leg_of(caller).media.endpoint, digit)
        await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
