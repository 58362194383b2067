"""The implicit subscription of a REFER alone: order, waiting reports, the end; and what a REFER says."""

import pytest

from sipcore.actions import FINISHED, Actions, Respond, SendRequest
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.profile import SessionProfile
from sipcore.dialog.refer import LIFETIME_S, ReferSubscription, State
from sipcore.dialog.referral import Referral
from sipcore.errors import ParseError
from sipcore.message import Request
from tests.support.ids import CountingIds
from tests.support.schedule import START_S, UDP, request, response


def refer_to(*lines: str) -> Request:
    return request("REFER", extra="".join(f"{line}\r\n" for line in lines))


def subscription() -> tuple[ReferSubscription, Actions]:
    arrived = refer_to("Refer-To: <sip:103@10.0.0.1>")
    dialog = Dialog.as_uas(request("INVITE"), "us", UDP)
    machine = ReferSubscription(arrived, dialog, UDP, SessionProfile("<sip:w0@10.0.0.1>"), CountingIds("w0"))
    return machine, machine.accept(("b", "x"), arrived, START_S)


def told(actions: Actions) -> list[str]:
    """The NOTIFYs among the actions: state and status."""
    sent = [action.request for action in actions if isinstance(action, SendRequest)]
    states = [(each.headers.get("subscription-state") or "").partition(";")[0] for each in sent]
    return [f"{state} {each.body.split()[1].decode()}" for state, each in zip(states, sent, strict=True)]


def delivered(machine: ReferSubscription, status: int = 200) -> Actions:
    notify = request("NOTIFY")
    return machine.receive_response(notify, response(notify, status), START_S + 1)


def test_the_202_comes_before_the_first_notify() -> None:
    _, actions = subscription()
    assert isinstance(actions[0], Respond)
    assert actions[0].response.status == 202
    assert told(actions) == ["active 100"]


def test_reports_wait_for_the_notify_under_way_and_the_last_of_them_counts() -> None:
    machine, _ = subscription()
    assert machine.report(180, START_S) == machine.report(183, START_S) == ()
    assert delivered(machine, 100) == ()
    assert told(delivered(machine)) == ["active 183"]
    assert machine.report(200, START_S) == machine.report(486, START_S) == ()
    assert told(delivered(machine)) == ["terminated 200"]
    assert delivered(machine) == (FINISHED,)
    assert machine.report(180, START_S) == ()
    assert machine.deadline is None


def test_a_quiet_subscription_tells_at_once() -> None:
    machine, _ = subscription()
    delivered(machine)
    assert told(machine.report(180, START_S)) == ["active 180"]
    delivered(machine)
    assert told(machine.report(603, START_S)) == ["terminated 603"]


@pytest.mark.parametrize("status", [404, 481, 500])
def test_a_refused_notify_ends_it(status: int) -> None:
    machine, _ = subscription()
    assert delivered(machine, status) == (FINISHED,)
    assert machine.report(200, START_S) == ()


def test_a_lost_notify_ends_it() -> None:
    machine, _ = subscription()
    assert machine.request_failed(request("NOTIFY"), 408, START_S) == (FINISHED,)
    assert machine.state is State.ENDED


@pytest.mark.parametrize("is_quiet", [True, False])
def test_it_does_not_live_for_ever(is_quiet: bool) -> None:
    machine, _ = subscription()
    assert machine.deadline == START_S + LIFETIME_S
    if is_quiet:
        delivered(machine)
    actions = machine.on_timer(START_S + LIFETIME_S)
    (last,) = [each for each in (actions or delivered(machine)) if isinstance(each, SendRequest)]
    assert last.request.headers.get("subscription-state") == "terminated;reason=timeout"
    assert delivered(machine) == (FINISHED,)


def test_what_a_refer_says() -> None:
    plain = Referral.of(refer_to("Refer-To: <sip:103@10.0.0.1>"))
    assert (plain.method, plain.replaces, plain.wants_reports) == ("INVITE", None, True)
    silent = Referral.of(refer_to("Refer-To: <sip:103@10.0.0.1;method=invite>", "Refer-Sub: FALSE"))
    assert (silent.method, silent.wants_reports) == ("INVITE", False)
    found = Referral.of(refer_to("Refer-To: <sip:103@10.0.0.1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>"))
    assert found.replaces is not None
    assert (found.replaces.call_id, found.replaces.to_tag, found.replaces.from_tag) == ("a@b", "1", "2")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Refer-To: <sip:1@h>", "Refer-To: <sip:2@h>"),
        ("Refer-To: nonsense here",),
        ("Refer-To: <sip:1@h?Replaces=x>",),
        ("Refer-To: <sip:1@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>",),
        ("Refer-To: <sip:1@h>", "Referred-By: <<"),
    ],
)
def test_a_refer_that_cannot_be_followed_is_an_error_and_nothing_else(lines: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        Referral.of(refer_to(*lines))
