"""What a stranger may bring before anything of it is parsed (SEC-9)."""

from pbx.gate import SILENCE, Gate
from pbx.source_rate import SourceRate
from sipcore.flow import Flow
from tests.pbx.test_overload import request

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("10.0.0.5", 5062))
OTHER = Flow("UDP", ("127.0.0.1", 5060), ("10.0.0.6", 5062))


def test_a_stranger_is_told_to_come_back_and_the_next_second_is_a_new_one() -> None:
    rate = SourceRate(2)
    assert [rate.exceeds("10.0.0.5", 1.0) for _ in range(4)] == [False, False, True, True]
    assert not rate.exceeds("10.0.0.6", 1.5)
    assert not rate.exceeds("10.0.0.5", 2.0)
    assert rate.describe() == {"proven_sources": 0, "postponed": 2}


def test_who_proved_to_be_somebody_is_not_counted() -> None:
    rate = SourceRate(1)
    rate.proved("2001:db8::1")
    assert {rate.exceeds("2001:db8::2", 1.0) for _ in range(9)} == {False}  # one host owns its /64


def test_zero_is_any_number() -> None:
    rate = SourceRate(0)
    assert {rate.exceeds("10.0.0.5", 1.0) for _ in range(999)} == {False}


def test_memory_is_bounded() -> None:
    rate = SourceRate(1, max_sources=2)
    for number in range(9):
        rate.exceeds(f"10.0.0.{number}", 1.0)
        rate.proved(f"10.1.0.{number}")
    assert rate.describe()["proven_sources"] == 2
    assert rate.exceeds("10.0.0.0", 1.1)
    assert not rate.exceeds("10.0.0.8", 1.1)  # not kept: it can be an invented address
    assert not rate.exceeds("10.1.0.8", 1.1)
    assert not rate.exceeds("10.1.0.8", 1.1)


def test_the_gate_answers_with_a_time_to_come_back_and_lets_everything_else_in() -> None:
    subject = Gate(lambda: 0.0, lambda _: False, rate=SourceRate(1), now=lambda: 5.0)
    assert subject.judge(request("REGISTER"), FLOW) is None
    answer = subject.judge(request("REGISTER"), FLOW)
    assert answer is not None
    assert answer.startswith(b"SIP/2.0 503 ")
    assert b"\r\nRetry-After: 2\r\n" in answer
    assert subject.judge(request("BYE", to="<sip:102@127.0.0.1>;tag=b"), FLOW) is None
    assert subject.judge(request("REGISTER"), OTHER) is None
    assert subject.describe()["rate"] == {"proven_sources": 0, "postponed": 1}


def test_what_cannot_be_read_is_dropped() -> None:
    subject = Gate(lambda: 0.0, lambda _: False, rate=SourceRate(1), now=lambda: 5.0)
    subject.judge(b"INVITE nonsense", FLOW)
    assert subject.judge(b"INVITE nonsense", FLOW) == SILENCE
