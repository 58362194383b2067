"""Overload control under virtual time, and the gate that carries it out."""

from collections.abc import Callable

import pytest

from conf.load import parse_settings
from pbx.gate import MEASURED_EVERY_S, SILENCE, Gate
from pbx.overload import FEW, FIRST_COST_S, KNOWN_S, MOST_COST_S, NEW_S, Level, OverloadControl
from pbx.refusal import sketch
from sipcore.flow import Flow
from sipcore.parse import parse_message
from sipcore.transaction.keys import Key, server_key

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5062))


def messages_for(delay_s: float, cost_s: float = FIRST_COST_S) -> float:
    return delay_s / cost_s


def test_a_short_queue_refuses_nothing() -> None:
    control = OverloadControl()
    control.measure(1.0, messages_for(NEW_S) * 0.9)
    assert control.level is Level.NOTHING
    assert not control.refuses(known=False)


def test_new_work_goes_first_then_all_of_it() -> None:
    control = OverloadControl()
    control.measure(1.0, messages_for(NEW_S) * 1.1)
    assert (control.refuses(known=False), control.refuses(known=True)) == (True, False)
    control.measure(1.1, messages_for(KNOWN_S) * 1.1)
    assert control.refuses(known=True)
    assert control.refused == {"new": 1, "known": 1}


def test_a_level_is_left_when_the_queue_is_clearly_shorter() -> None:
    control = OverloadControl()
    found = []
    for waiting_s in (1.1 * KNOWN_S, 0.6 * KNOWN_S, 0.4 * KNOWN_S, 0.6 * NEW_S, 0.4 * NEW_S):
        control.measure(1.0, messages_for(waiting_s))
        found.append(control.level)
    assert found == [Level.ALL_NEW, Level.ALL_NEW, Level.NEW, Level.NEW, Level.NOTHING]


def test_timers_that_run_late_count_as_well() -> None:
    control = OverloadControl()
    control.measure(1.0, 0, lag_s=2 * NEW_S)
    assert control.refuses(known=False)
    control.measure(1.1, 0, lag_s=0.0)
    assert not control.refuses(known=False)


def served(control: OverloadControl, cost_s: float, waiting: float, rounds: int = 400) -> None:
    """The server is busy: it looks at five messages between two measurements."""
    now = 10.0
    for _ in range(rounds):
        for _ in range(5):
            control.fed()
        now += 5 * cost_s
        control.measure(now, waiting)


@pytest.mark.parametrize("cost_s", [0.00005, 0.001])
def test_the_cost_of_a_message_is_learnt_while_there_is_no_rest(cost_s: float) -> None:
    control = OverloadControl()
    served(control, cost_s, waiting=100, rounds=8000 if cost_s < 0.001 else 400)
    assert control.describe()["message_cost_us"] == pytest.approx(cost_s * 1e6, rel=0.1)


def test_rest_is_not_taken_for_cost() -> None:
    control = OverloadControl()
    served(control, 1.0, waiting=0, rounds=20)
    assert control.describe()["message_cost_us"] == pytest.approx(FIRST_COST_S * 1e6)


def test_a_pause_of_the_machine_does_not_make_a_burst_an_overload() -> None:
    control = OverloadControl()
    for pause in range(10):
        control.fed()
        control.measure(10.0 + pause, FEW)
    assert control.level is Level.NOTHING
    assert control._cost_s <= MOST_COST_S


def test_retry_after_grows_with_what_is_refused_and_is_not_the_same_for_all() -> None:
    calm, hot = OverloadControl(), OverloadControl()
    for control, refused in ((calm, 1), (hot, 50)):
        control.measure(1.0, messages_for(1.0))
        for _ in range(10):
            control.fed()
        for _ in range(refused):
            control.refuses(known=False)
        control.measure(2.5, messages_for(1.0))
    assert [calm.retry_after_s(seed) for seed in (0, 999)] == [2, 4]
    assert [hot.retry_after_s(seed) for seed in (0, 500, 999)] == [2, 8, 13]


# --- the gate ------------------------------------------------------------------------------------------------------


def request(
    method: str, *extra: str, to: str = "<sip:102@127.0.0.1>", via: str = "", branch: str = "z9hG4bKa"
) -> bytes:
    via = via or f"SIP/2.0/UDP 10.0.0.5:5062;branch={branch};rport"
    lines = [
        f"{method} sip:102@127.0.0.1 SIP/2.0",
        f"Via: {via}",
        "From: <sip:101@127.0.0.1>;tag=a",
        f"To: {to}",
        "Call-ID: one",
        f"CSeq: 7 {method}",
        *extra,
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def gate(delay_s: float, is_known: Callable[[Key], bool] = lambda _: False, scanners: tuple[str, ...] = ()) -> Gate:
    return Gate(lambda: messages_for(delay_s), is_known, scanners, now=lambda: 5.0)


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "OPTIONS", "REFER"])
def test_new_work_gets_a_503_with_retry_after(method: str) -> None:
    data = request(method)
    answer = gate(1.2 * NEW_S).judge(data, FLOW)
    assert answer is not None
    response, asked = parse_message(answer), parse_message(data)
    assert answer.startswith(b"SIP/2.0 503 Service Unavailable\r\n")
    assert int(response.headers.get("retry-after") or 0) >= 2
    assert (response.via.branch, response.via.rport, response.via.received) == ("z9hG4bKa", "5062", "127.0.0.2")
    assert (response.call_id, response.cseq, str(response.from_)) == (asked.call_id, asked.cseq, str(asked.from_))
    assert response.to.tag
    assert gate(1.2 * NEW_S).judge(data, FLOW) == answer  # a retransmission gets the same


@pytest.mark.parametrize("method", ["ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "NOTIFY"])
def test_what_goes_on_or_ends_is_never_refused(method: str) -> None:
    assert gate(10 * KNOWN_S).judge(request(method), FLOW) is None


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n\r\n",
        request("INVITE", to="<sip:102@127.0.0.1>;tag=b"),
        request("INVITE", to="<sip:102@127.0.0.1> ; TAG=b"),
        request("INVITE", branch="1"),
        request("INVITE", via="SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2"),
        request("INVITE", via="nonsense"),
        request("INVITE", via="SIP/2.0/UDP 127.0.0.2:5099;branch=z9hG4bKa"),
        request("INVITE", "To: <sip:second@127.0.0.1>"),
        request("INVITE", "Subject: a", " folded"),
        b"INVITE sip:102@127.0.0.1 SIP/2.0\r\n\r\n",
        b"INVITE sip:102@127.0.0.1 SIP/2.0",
        b"INVITE ",
        b"",
        b"\xff\xfe\x00" * 100,
    ],
)
def test_what_is_in_a_dialog_or_not_written_as_usual_is_left_to_the_stack(data: bytes) -> None:
    assert gate(10 * KNOWN_S).judge(data, FLOW) is None


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP phone.example:5062;branch=z9hG4bKa;rport",
        "SIP/2.0/UDP phone.example;branch=z9hG4bKa;rport",
        "SIP/2.0/TCP [2001:db8::1]:5062;branch=z9hG4bKa",
        "SIP/2.0/UDP PHONE.example;rport;branch=z9hG4bKa",
        "SIP / 2.0 / UDP 10.0.0.5 ;branch=z9hG4bKa;ttl=1",
    ],
)
def test_a_retransmission_of_what_was_taken_is_not_refused(via: str) -> None:
    data = request("INVITE", via=via)
    parsed = parse_message(data)
    key = server_key(parsed)  # type: ignore[arg-type]
    assert gate(2 * NEW_S, lambda asked: asked == key).judge(data, FLOW) is None
    assert gate(1.2 * NEW_S).judge(data, FLOW) is not None


def test_an_answer_to_a_challenge_and_a_refresh_go_before_new_work() -> None:
    known = request("REGISTER", 'Authorization: Digest username="101"')
    assert gate(1.2 * NEW_S).judge(known, FLOW) is None
    assert gate(2 * KNOWN_S).judge(known, FLOW) is not None


def test_several_vias_come_back_in_order() -> None:
    data = request("INVITE").replace(b"From:", b"v: SIP/2.0/UDP second;branch=z9hG4bKb\r\nFrom:")
    answer = gate(1.2 * NEW_S).judge(data, FLOW)
    assert answer is not None
    assert [value.partition(";")[0] for value in parse_message(answer).headers.values("via")] == [
        "SIP/2.0/UDP 10.0.0.5:5062",
        "SIP/2.0/UDP second",
    ]


def test_calm_returns_with_the_next_measurement() -> None:
    waiting, at = [messages_for(1.0)], [5.0]
    subject = Gate(lambda: waiting[0], lambda _: False, now=lambda: at[0])
    assert subject.judge(request("INVITE"), FLOW) is not None
    waiting[0] = 0
    assert subject.judge(request("INVITE"), FLOW) is not None
    at[0] += MEASURED_EVERY_S
    assert subject.describe()["level"] == "nothing"
    assert subject.judge(request("INVITE"), FLOW) is None
    assert subject.describe()["refused_new"] == 2


def test_a_scanner_is_dropped_and_counted() -> None:
    subject = gate(0.0, scanners=("Friendly-Scanner",))
    assert subject.judge(request("OPTIONS", "User-Agent: friendly-scanner"), FLOW) == SILENCE
    assert subject.judge(request("OPTIONS").replace(b"<sip:101@", b'"friendly-scanner" <sip:101@'), FLOW) == SILENCE
    assert subject.judge(request("OPTIONS", "User-Agent: Phone"), FLOW) is None
    assert subject.describe()["scanners_dropped"] == 2


SIGNATURES = (
    *("friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sipsak", "sundayddr", "iWar", "VaxSIPUserAgent"),
    "pplsip",
)


@pytest.mark.row("SEC-8")
@pytest.mark.parametrize("name", SIGNATURES)
def test_well_known_scanners_are_dropped_unless_the_office_says_otherwise(name: str) -> None:
    def judged(text: str) -> object:
        found = parse_settings(text)
        subject = gate(0.0, scanners=tuple(found.sip.scanners))
        return subject.judge(request("OPTIONS", f"User-Agent: {name}/1.0"), FLOW)

    assert judged("") == SILENCE
    assert judged("[sip]\nscanners = []") is None
    assert judged('[sip]\nscanners = ["other"]') is None
    assert judged(f'[sip]\nscanners = ["{name.upper()}"]') == SILENCE


def test_random_text_is_no_scanner() -> None:
    subject = gate(0.0, scanners=("iwar",))
    for harmless in (request("INVITE", branch="z9hG4bKiWar"), request("INVITE", "X-Note: iWar"), request("INVITE", "")):
        assert subject.judge(harmless.replace(b"tag=a", b"tag=xiwarx"), FLOW) is None


def test_a_long_line_of_spaces_costs_no_more_than_its_length() -> None:
    assert sketch(b"INVITE sip:a SIP/2.0\r\nVia:" + b" " * 60_000 + b"\r\n\r\n") is None
