"""How calls end that nobody hung up: operator, dead media, lost engine, drain. And what is written about them."""

import asyncio

import pytest

from media.api import DigitReceived, EngineFailed, MediaSilent, PlayEnded, SourceLearned, StreamReport
from media.api import HostPort as At
from pbx.events import CallEnded, LegEnded
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office


@pytest.mark.parametrize("moment", ["ringing", "talking"])
async def test_an_operator_ends_a_call_on_all_sides(moment: str) -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        if moment == "talking":
            call, ring = await office.connect(a, b)
        else:
            call = a.dial("102")
            ring = await b.rung()
            ring.ring()
            await call.until_ringing()
        (number,) = office.pbx.calls
        assert office.pbx.hangup(number)
        assert await ring.until_over() == (200 if moment == "talking" else 487)
        assert await call.until_over() == (200 if moment == "talking" else 480)
        assert not office.pbx.hangup("no such call")
    assert office.row.cause == "operator"
    assert office.row.disposition == ("ANSWERED" if moment == "talking" else "NOANSWER")


async def test_a_call_that_an_operator_ended_is_told_so_to_the_phones() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        office.pbx.hangup(next(iter(office.pbx.calls)))
        await call.until_over()
        await ring.until_over()
        for phone in (a, b):
            (bye,) = phone.requests("BYE")
            assert (bye.headers.get("reason") or "").startswith("Q.850;cause=31")


async def test_an_operator_may_end_a_call_that_is_just_being_set_up() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        office.engine.answer_after_s = 1.0
        call = a.dial("102")
        await asyncio.sleep(0.5)
        office.pbx.hangup(next(iter(office.pbx.calls)))
        assert await call.until_over() == 480
        assert not b.is_ringing


async def test_a_party_from_whom_no_audio_comes_any_more_is_gone() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        office.engine.emit(MediaSilent(office.leg_of("102").media.endpoint, 120.0))
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
    assert (office.row.cause, office.row.disposition) == ("media_failed", "ANSWERED")


def silence_limits(office: VirtualOffice, *numbers: str) -> list[float]:
    """How long each of them may be silent now."""
    specs = [office.endpoint_of(number).spec for number in numbers]
    return [spec.silence_s for spec in specs if spec is not None]


@pytest.mark.row("REG-10")
async def test_a_party_may_be_silent_for_two_minutes_and_for_ten_while_it_holds() -> None:
    """REG-10 for legs of extensions; the engine tells of silence after the time that it was given."""
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        talking, other = office.leg_of("101").media.endpoint, office.leg_of("102").media.endpoint
        assert silence_limits(office, "101", "102") == [120.0, 120.0]
        call.hold()
        await call.until_modified()
        assert silence_limits(office, "101", "102") == [600.0, 120.0]
        office.engine.emit(MediaSilent(talking, 120.0))  # told before the engine knew of the hold
        await asyncio.sleep(5)
        assert not call.is_over
        call.resume()
        await call.until_modified()
        assert silence_limits(office, "101", "102") == [120.0, 120.0]
        call.hold()
        await call.until_modified()
        office.engine.emit(MediaSilent(talking, 600.0))
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
        assert other not in office.engine.endpoints
    assert office.row.cause == "media_failed"


async def test_silence_of_a_party_that_still_rings_or_only_listens_is_right() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call = a.dial("102")
        ring = await b.rung()
        office.engine.emit(MediaSilent(office.leg_of("102").media.endpoint, 120.0))
        ring.answer()
        await call.until_answered()
        call.hold("recvonly")
        await call.until_modified()
        assert silence_limits(office, "101") == [0.0]
        assert not call.is_over
        call.hangup()
        await ring.until_over()


@pytest.mark.parametrize("reports", [True, False])
async def test_calls_whose_media_worker_died_end_cleanly_and_others_go_on(reports: bool) -> None:
    numbers = ("101", "102", "103", "104")
    async with open_office(*map(terminal, numbers)) as office:
        office.may_log |= {"a media worker died, its calls end", "a recording ended before its time"}
        phones = [await office.registered(number) for number in numbers]
        call, ring = await office.connect(phones[0], phones[1])
        other, other_ring = await office.connect(phones[2], phones[3])
        lost = tuple(office.leg_of(number).media.endpoint for number in ("101", "102"))
        office.engine.is_reporting = reports
        for endpoint in lost:
            del office.engine.endpoints[endpoint]
        office.engine.emit(EngineFailed(1, lost))
        assert await call.until_over() == 200
        assert await ring.until_over() == 200
        assert not other.is_over
        assert office.hears("103") == "104"
        office.engine.is_reporting = True
        other.hangup()
        await other_ring.until_over()
    assert sorted(row.cause for row in office.rows) == ["media_failed", "normal"]


async def test_the_history_row_has_what_the_engine_measured_on_both_sides() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        office.engine.report = StreamReport(0, 500, 501, 3, 2.5, 40.0, {}, 7)
        call, ring = await office.connect(a, b)
        call.hangup()
        await ring.until_over()
    for side in ("from", "to"):
        assert office.row.quality[f"{side}_received"] == 500
        assert office.row.quality[f"{side}_sent"] == 501
        assert office.row.quality[f"{side}_lost"] == 3
        assert office.row.quality[f"{side}_jitter_ms"] == 2.5
        assert office.row.quality[f"{side}_round_trip_ms"] == 40.0


async def test_a_report_that_never_comes_delays_the_history_row_by_two_seconds_and_no_more() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        office.engine.is_reporting = False
        call.hangup()
        await ring.until_over()
        await asyncio.sleep(1.5)
        assert office.rows == []
        await asyncio.sleep(1.0)
        assert office.row.disposition == "ANSWERED"
    assert len([event for event in office.events if isinstance(event, LegEnded)]) == 2


async def test_a_call_that_is_refused_without_media_leaves_its_row_at_once() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        assert await a.dial("999").until_over() == 404
        assert office.row.quality == {}


@pytest.mark.row("CDR-17")
async def test_a_row_is_written_when_no_leg_is_alive_with_the_disposition_of_the_last_answer() -> None:
    async with open_office(terminal("101"), terminal("102"), terminal("103")) as office:
        a, b, c = [await office.registered(number) for number in ("101", "102", "103")]
        call, ring = await office.connect(a, b)
        await asyncio.sleep(8)
        assert office.rows == [], "not before the end"
        assert await c.dial("101").until_over() == 486
        assert [row.disposition for row in office.rows] == ["BUSY"]
        unheard = c.dial("103")
        await unheard.until_over()
        ring.hangup()
        await call.until_over()
    rows = {row.to_number: row for row in office.rows}
    assert rows["102"].disposition == "ANSWERED"
    assert rows["102"].talk_seconds == pytest.approx(9, abs=0.1)
    assert rows["102"].answered_at is not None
    assert rows["102"].answered_at - rows["102"].started_at == pytest.approx(2, abs=0.1)
    assert rows["101"].talk_seconds == 0
    assert len({row.linkedid for row in office.rows}) == len(office.rows) == 3
    assert len(rows["102"].sip_call_ids) == 2


async def test_every_row_names_both_parties_and_a_linkedid_of_the_agreed_form() -> None:
    from storage.records import User

    users = [User("anna", "Anna"), User("boris", "Борис")]
    terminals = (terminal("101", owner="anna"), terminal("102", owner="boris"))
    async with open_office(*terminals, users=users) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hangup()
        await ring.until_over()
    row = office.row
    assert (row.from_number, row.from_name, row.to_number, row.to_name) == ("101", "Anna", "102", "Борис")
    assert row.linkedid == "zvon-1700001000.1"


async def test_call_ended_comes_last_and_once() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        call.hangup()
        await ring.until_over()
    of_call = [event for event in office.events if getattr(event, "call", "")]
    assert isinstance(of_call[-1], CallEnded)
    assert of_call[-1].at >= max(event.at for event in of_call)


async def test_media_events_of_nobody_are_passed_over() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        a, b = await office.registered("101"), await office.registered("102")
        call, ring = await office.connect(a, b)
        endpoint = office.leg_of("101").media.endpoint
        for event in (
            StreamReport(99999),
            StreamReport(endpoint),  # not ended yet: no last words
            DigitReceived(99999, "1", 100),
            MediaSilent(99999, 120.0),
            PlayEnded(99999, 1, "finished"),
            PlayEnded(endpoint, 99999, "finished"),
            SourceLearned(endpoint, At("10.0.0.7", 4000)),
            EngineFailed(3, (99999,)),
        ):
            office.may_log |= {"a media worker died, its calls end", "a recording ended before its time"}
            office.engine.emit(event)
        await asyncio.sleep(1)
        assert office.leg_numbers() == ["101", "102"]
        call.hangup()
        await ring.until_over()


# --- test numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["10003246", "000064"])
async def test_a_test_number_answers_and_leaves_an_application_row_without_talk_time(number: str) -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        call = a.dial(number)
        await call.until_answered()
        await asyncio.sleep(10)
        endpoint = office.endpoint_of("101")
        assert endpoint.echo == (number == "10003246")
        assert (endpoint.play is not None) == (number == "000064")
        call.hangup()
        await call.until_over()
    assert (office.row.stage, office.row.disposition, office.row.talk_seconds) == ("application", "ANSWERED", 0.0)
    assert office.row.to_number == number


async def test_the_echo_answers_in_any_codec_and_the_tone_needs_one_that_we_speak() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101", codecs=("iLBC", "telephone-event"))
        call = a.dial("10003246")
        await call.until_answered()
        call.hangup()
        await call.until_over()
        assert await a.dial("000064").until_over() == 488


async def test_the_tone_ends_the_call_when_it_cannot_be_played() -> None:
    async with open_office(terminal("101")) as office:
        a = await office.registered("101")
        call = a.dial("000064")
        await call.until_answered()
        office.engine.finish_play(office.leg_of("101").media.endpoint, "no such file")
        assert await call.until_over() == 200
