"""`zvon explain`: what it says of a call is what becomes of the call."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from pbx.control.messages import ControlError, ExplanationView
from pbx.explain import explain, explained
from storage.records import (
    Conference,
    EmployeeGroup,
    Forward,
    ForwardingPolicy,
    Group,
    Ivr,
    Office,
    Paging,
    Queue,
    Terminal,
    User,
)
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office

NUMBERS = ("101", "102", "103", "104")
PHONES = tuple(terminal(number) for number in NUMBERS)


def rules(found: ExplanationView, number: str) -> dict[str, tuple[bool, str]]:
    return {each.rule: (each.matched, each.why) for each in found.rules if each.number == number}


def matched(found: ExplanationView) -> list[tuple[str, str]]:
    return [(each.number, each.rule) for each in found.rules if each.matched and each.rule != "number"]


def forwarding(**forward_of: Forward) -> tuple[Terminal, ...]:
    return tuple(terminal(number, forward=forward_of.get(f"t{number}", Forward())) for number in NUMBERS)


async def test_a_registered_terminal_rings_at_the_addresses_of_its_phones() -> None:
    async with open_office(*PHONES) as office:
        await office.registered("102", "10.0.7.7")
        found = explain(office.pbx, "101", "102")
    assert found.targets == ("102",)
    assert found.result == "final target: 102 rings at sip:102@10.0.7.7:5060 (udp)"
    assert [each.rule for each in found.rules] == [
        *("number", "isolation", "forwarding by code", "forward.always", "forward.callers"),
        *("do not disturb", "max_calls", "no phone", "forward.busy", "forward.unavailable", "forward.no_answer"),
    ]
    assert matched(found) == []


async def test_rules_lead_from_number_to_number_and_say_why() -> None:
    chain = forwarding(t102=Forward(always="103"), t103=Forward(unavailable="104"), t104=Forward(no_answer="101"))
    async with open_office(*chain) as office:
        await office.registered("104")
        found = explain(office.pbx, "101", "102")
    assert found.targets == ("104",)
    assert matched(found) == [("102", "forward.always"), ("103", "no phone"), ("103", "forward.unavailable")]
    assert rules(found, "104")["forward.no_answer"] == (False, "goes on to 101 after it has rung for 45 s")


async def test_a_circle_of_rules_ends_where_the_call_would_end() -> None:
    async with open_office(*forwarding(t102=Forward(always="103"), t103=Forward(always="102"))) as office:
        found = explain(office.pbx, "101", "102")
    assert (found.targets, found.cause) == ((), "no_answer")
    assert found.result == "no target: the call ends at 103 with 480 no_answer (no answer from user)"
    assert matched(found)[-1] == ("103", "forwarding.max_forwards")


async def test_rules_that_are_left_aside_for_internal_calls_are_named() -> None:
    policy = Office("Test", forwarding=ForwardingPolicy(skip_internal=True))
    async with open_office(*forwarding(t102=Forward(always="103")), office=policy) as office:
        found = explain(office.pbx, "101", "102")
    assert matched(found) == [("102", "forwarding.skip_internal"), ("102", "no phone")]
    assert found.cause == "unavailable"


async def test_do_not_disturb_and_calls_in_progress_are_busy() -> None:
    async with open_office(*PHONES) as office:
        a, b = await office.registered("101"), await office.registered("102")
        await office.registered("103")
        office.pbx.states.put("dnd", "103", "on")
        call, _ = await office.connect(a, b)
        taken, disturbed = explain(office.pbx, "104", "102"), explain(office.pbx, "104", "103")
        call.hangup()
    assert (taken.cause, rules(taken, "102")["max_calls"]) == ("busy", (True, "takes part in 1 of 1 calls"))
    assert (disturbed.cause, matched(disturbed)) == ("busy", [("103", "do not disturb")])
    assert explain(office.pbx, "104", "104").cause == "busy"  # who calls itself takes part in one call already


async def test_isolation_disabled_terminals_and_unknown_numbers_have_no_target() -> None:
    people = [User("anna", "Anna"), User("boris", "Boris")]
    groups = (EmployeeGroup("closed", members=("boris",), isolate=True), EmployeeGroup("rest", is_default=True))
    phones = (
        terminal("101", owner="anna"),
        terminal("102", owner="boris"),
        terminal("103", disabled=True),
    )
    async with open_office(*phones, users=people, office=Office("Test", employee_groups=groups)) as office:
        await office.registered("102")
        barred, disabled, nobody = (explain(office.pbx, "101", each) for each in ("102", "103", "777"))
        for caller, sentence in (("103", "is disabled"), ("777", "none of this office")):
            with pytest.raises(ControlError, match=sentence):
                explain(office.pbx, caller, "101")
    assert (barred.cause, matched(barred)) == ("forbidden", [("102", "isolation")])
    assert (disabled.cause, rules(disabled, "103")["number"]) == ("not_found", (False, "its terminal is disabled"))
    assert (nobody.cause, rules(nobody, "777")["number"]) == ("not_found", (False, "nobody has this number"))


async def test_members_of_a_group_are_listed_with_those_who_ring() -> None:
    group = Group("200", "Shop", members=("102", "103", "104"), timeout_target="101")
    linear = Group("201", members=("102", "103", "104"), strategy="linear")
    async with open_office(*PHONES, office=Office("Test", groups=(group, linear))) as office:
        nobody = explain(office.pbx, "101", "200")
        await office.registered("103")
        await office.registered("104")
        all_at_once, one_by_one = explain(office.pbx, "101", "200"), explain(office.pbx, "101", "201")
    assert ("200", "timeout_target") in matched(nobody)
    assert all_at_once.targets == ("103", "104")
    assert rules(all_at_once, "200")["member 102"] == (False, "subscriber absent")
    assert one_by_one.targets == ("103",)


async def test_a_queue_names_who_would_ring_first_and_nobody_is_forgotten_for_it() -> None:
    queue = Queue("500", "Sales", agents=("102", "103", "104"), strategy="leastrecent", empty_target="101")
    async with open_office(*PHONES, office=Office("Test", queues=(queue,))) as office:
        assert matched(explain(office.pbx, "104", "500"))[0] == ("500", "empty_target")
        a = await office.registered("101")
        c, d = await office.registered("103"), await office.registered("104")
        twice = [explain(office.pbx, "101", "500") for _ in range(2)]
        call = a.dial("500")
        ring = await c.rung()
        assert not d.is_ringing
        call.hangup()
        await ring.until_over()
        after = explain(office.pbx, "101", "500")
    assert [each.targets for each in twice] == [("103",), ("103",)]
    assert rules(twice[0], "500")["agent 102"] == (False, "unavailable, 0 answered, penalty 0")
    assert after.targets == ("104",)


async def test_menus_rooms_pages_codes_and_services_answer() -> None:
    numbers = Office(
        "Test",
        ivrs=(Ivr("600", "102", keys={"1": "103"}),),
        conferences=(Conference("800", max_participants=1),),
        paging=(Paging("850", members=("101", "102")),),
    )
    async with open_office(*forwarding(t104=Forward(always="hangup")), office=numbers) as office:
        a = await office.registered("101")
        await office.registered("102")
        menu, room, page = (explain(office.pbx, "101", each) for each in ("600", "800", "850"))
        hung_up = explain(office.pbx, "101", "104")
        code = explain(office.pbx, "101", office.pbx.office.features.dnd_on)
        slot = explain(office.pbx, "101", "891")
        call = a.dial("800")
        await call.until_answered()
        await asyncio.sleep(5)
        full = explain(office.pbx, "102", "800")
        call.hangup()
    assert rules(menu, "600")["key 1"] == (False, "goes on to 103 when it is pressed")
    assert [each.targets for each in (menu, room, page)] == [("600",), ("800",), ("102",)]
    assert (hung_up.targets, hung_up.cause) == ((), "unavailable")
    assert code.result.endswith("is answered by the server: do not disturb")
    assert (slot.cause, full.cause) == ("not_found", "busy")


async def test_an_explanation_is_russian_in_a_russian_office_and_when_it_is_asked_for() -> None:
    phones = forwarding(t102=Forward(always="103"), t103=Forward(busy="104"))
    async with open_office(*phones, office=Office("Test", language="ru", ivrs=(Ivr("600", "102"),))) as office:
        a, b = await office.registered("101"), await office.registered("103", "10.0.7.7")
        office.pbx.states.put("dnd", "104", "on")
        found, english = explain(office.pbx, "101", "102"), explain(office.pbx, "101", "102", language="en")
        disturbed, nobody = explain(office.pbx, "101", "104"), explain(office.pbx, "101", "777")
        call, _ = await office.connect(a, b)
        taken = explain(office.pbx, "102", "103")
        call.hangup()
        with pytest.raises(ControlError, match="999 не номер этого офиса; FROM — номер терминала"):
            explain(office.pbx, "999", "101")
    assert found.result == "итог: 103 звонит на sip:103@10.0.7.7:5060 (udp)"
    assert english.result == "final target: 103 rings at sip:103@10.0.7.7:5060 (udp)"
    assert [(each.title, each.why) for each in found.rules][:4] == [
        ("номер", "что это: терминал"),
        ("изоляция", "101 может звонить на 102"),
        ("переадресация кодом", "идти некуда"),
        ("forward.always", "идёт дальше на 103"),
    ]
    assert rules(found, "103")["forward.busy"] == (False, "идёт дальше на 104, если занят")
    assert rules(disturbed, "104")["do not disturb"] == (True, "включено")
    assert rules(taken, "103")["max_calls"] == (True, "разговоров: 1 из 1")
    assert nobody.result == "никто не найден: звонок заканчивается на 777 с 404 not_found (номер не существует)"
    assert {each.rule for each in found.rules} == {each.rule for each in english.rules}  # scripts read one name


async def test_each_call_keeps_what_it_has_met_with_the_state_of_that_moment() -> None:
    numbers = Office("Test", ivrs=(Ivr("600", "103", timeout=2, attempts=1, keys={"1": "500"}),))
    queue = Queue("500", agents=("102", "104"))
    async with open_office(*PHONES, office=replace(numbers, queues=(queue,))) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("600")
        await call.until_answered()
        (id_,) = [each.id for each in office.pbx.calls.values()]
        at_menu = explained(office.pbx, id_)
        office.engine.press(office.leg_of("101").media.endpoint, "1")
        ring = await b.rung()
        found = explained(office.pbx, id_, "ru")
        call.hangup()
        await ring.until_over()
        await b.register(0)
        await asyncio.sleep(5)
        later = explained(office.pbx, id_)
    assert [each.number for each in at_menu.rules if each.rule == "number"] == ["600"]
    assert at_menu.result == "final target: 600 answers and waits for keys"
    assert [each.number for each in found.rules if each.rule == "number"] == ["600", "500"]
    assert rules(found, "500")["agent 102"] == (True, "свободен, принято: 0, штраф 0")
    assert rules(later, "500")["agent 102"] == (True, "idle, 0 answered, penalty 0")
    assert rules(later, "500")["agent 104"] == (False, "unavailable, 0 answered, penalty 0")
    assert (later.from_number, later.to_number, later.targets) == ("101", "600", ("102",))
    with pytest.raises(ControlError, match="nothing is known of a call zvon-0; the last 1000 calls are"):
        explained(office.pbx, "zvon-0")


def random_office(random: Random) -> tuple[Terminal, ...]:
    targets = ("", "", *NUMBERS, "200", "999", "busy")

    def forward() -> Forward:
        always = random.choice(targets) if random.random() < 0.3 else ""
        return Forward(busy=random.choice(targets), unavailable=random.choice(targets), always=always)

    return tuple(terminal(each, forward=forward(), max_calls=random.choice((1, 2))) for each in NUMBERS)


async def rung_by(office: VirtualOffice, to: str) -> set[str]:
    """The terminals that a call of 101 really rings."""
    caller = next(phone for phone in office.phones if phone.number == "101")
    call = caller.dial(to)
    await asyncio.sleep(30)
    found = {phone.number for phone in office.phones if phone.is_ringing}
    for phone in office.phones:
        if phone.is_ringing:
            (await phone.rung()).reject(603)
    if not call.is_over:
        call.hangup()
    await asyncio.sleep(60)
    return found


@pytest.mark.parametrize("seed", range(40))
async def test_what_is_explained_is_what_rings(seed: int) -> None:
    random = Random(seed)
    strategy = random.choice(("ringall", "linear"))
    group = Group("200", members=("102", "103"), strategy=strategy, timeout_target=random.choice(("", "104")))
    async with open_office(*random_office(random), office=Office("Test", groups=(group,))) as office:
        await office.registered("101")
        for number in NUMBERS[1:]:
            if random.random() < 0.6:
                await office.registered(number)
            if random.random() < 0.2:
                office.pbx.states.put("dnd", number, "on")
        to = random.choice((*NUMBERS, "200"))
        expected = set(explain(office.pbx, "101", to).targets)
        assert await rung_by(office, to) == expected
