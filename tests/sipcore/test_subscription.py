"""A subscription step by step with literal clocks: what is asked of the user, what is sent, when it ends."""

import pytest

from sipcore.actions import Actions, Finished, Respond, SendRequest, Tell
from sipcore.dialog.subscription import State, Subscription, SubscriptionPolicy
from sipcore.errors import LocalProtocolError
from sipcore.events import DocumentWanted, SubscriptionEnded
from sipcore.flow import Flow
from sipcore.freeze import freeze, thaw
from sipcore.headers import Contact
from sipcore.message import Request, Response
from tests.support.ids import CountingIds
from tests.support.schedule import START_S, TCP, UDP, request, response

OTHER = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.9", 5062))
KEY = ("b", "x")


def subscribe(
    expires: object = 600, *, cseq: int = 1, event: str = "dialog", tag: str = "", contact: str = ""
) -> Request:
    lines = [f"Event: {event}", f"Contact: <sip:alice@{contact or '10.0.0.2'}>"]
    lines += [] if expires is None else [f"Expires: {expires}"]
    return request("SUBSCRIBE", cseq=cseq, to_tag=tag, extra="".join(f"{line}\r\n" for line in lines))


class Watch:
    """A machine with its clock; `step` notes what each step did."""

    def __init__(self, expires: int = 600, *, rest_s: float = 0.5, event: str = "dialog") -> None:
        self.now = START_S
        first = subscribe(expires, event=event)
        policy = SubscriptionPolicy(rest_s=rest_s)
        self.machine = Subscription(first, UDP, "<sip:102@10.0.0.1>", "Zvon", policy, CountingIds())
        self.sent: list[Request] = []
        self.answers: list[Response] = []
        self.told: list[str] = []
        self.is_finished = False
        self.take(self.machine.accept(KEY, first, expires, self.now))

    def take(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case SendRequest():
                    self.sent.append(action.request)
                case Respond():
                    self.answers.append(action.response)
                case Tell(event):
                    self.told.append("wanted" if isinstance(event, DocumentWanted) else "ended")
                    assert isinstance(event, DocumentWanted | SubscriptionEnded)
                case Finished():
                    self.is_finished = True
                case _:
                    raise AssertionError(action)

    def at(self, seconds: float) -> "Watch":
        """Let time pass: timers run on the way."""
        while (deadline := self.machine.deadline) is not None and deadline <= START_S + seconds:
            self.now = max(self.now, deadline)
            self.take(self.machine.on_timer(self.now))
        self.now = START_S + seconds
        return self

    def give(self, text: str = "state") -> "Watch":
        self.take(self.machine.document("text/plain", text.encode(), self.now))
        return self

    def change(self) -> "Watch":
        self.take(self.machine.changed(self.now))
        return self

    def answered(self, status: int = 200, **headers: str) -> "Watch":
        reply = response(self.sent[-1], status)
        for name, value in headers.items():
            reply.headers.add(name.replace("_", "-"), value)
        self.take(self.machine.receive_response(self.sent[-1], reply, self.now))
        return self

    def refresh(self, expires: object = 600, *, flow: Flow = UDP, **named: str) -> "Watch":
        again = subscribe(expires, cseq=10 + len(self.answers), tag=self.machine.dialog.local_tag, **named)
        self.take(self.machine.receive_request(KEY, again, flow, self.now))
        return self

    def end(self, reason: str, retry_after_s: int = 0) -> "Watch":
        self.take(self.machine.end(self.now, reason, retry_after_s))
        return self

    @property
    def state(self) -> str:
        """Subscription-State of the last NOTIFY."""
        return self.sent[-1].headers.get("subscription-state") or ""

    @property
    def status(self) -> int:
        return self.answers[-1].status


def settled() -> Watch:
    """A subscription at rest, one second old."""
    watch = Watch().give("first").at(0.1).answered().at(1.0)
    assert watch.machine.state is State.QUIET
    return watch


def test_a_subscription_is_accepted_and_the_state_notified_at_once() -> None:
    watch = Watch(event="dialog;id=a1")
    (accepted,) = watch.answers
    assert (accepted.status, accepted.headers.get("expires")) == (200, "600")
    assert accepted.headers.get("contact") == "<sip:102@10.0.0.1>"
    assert watch.told == ["wanted"]
    (notify,) = watch.give("first").sent
    assert notify.method == "NOTIFY"
    assert str(notify.uri) == "sip:alice@10.0.0.2"
    assert notify.headers.get("event") == "dialog;id=a1"
    assert notify.body == b"first"
    assert (notify.from_.tag, notify.to.tag) == (accepted.to.tag, "a")
    assert watch.state == "active;expires=600"


def test_a_fetch_gets_one_last_notify() -> None:
    watch = Watch(0).give()
    assert watch.answers[0].headers.get("expires") == "0"
    assert watch.state == "terminated;reason=timeout"
    watch.answered()
    assert watch.is_finished
    assert watch.told == ["wanted", "ended"]


def test_each_change_is_notified_with_the_next_cseq_and_version() -> None:
    watch = settled()
    watch.change().give("second").answered()
    assert [notify.cseq.number for notify in watch.sent] == [1, 2]
    assert watch.machine.version == 2
    assert watch.state == "active;expires=599"


def test_a_burst_becomes_one_notify_with_the_last_state() -> None:
    watch = settled().change().give("a")
    for _ in range(20):
        watch.change()
    assert len(watch.sent) == 2
    watch.answered()
    assert watch.told.count("wanted") == 2
    watch.at(1.49)
    assert watch.told.count("wanted") == 2, "sooner than half a second after the last one"
    watch.at(1.51).give("z").answered().at(5.0)
    assert watch.sent[-1].body == b"z"
    assert watch.told.count("wanted") == 3


def test_a_slow_subscriber_gets_the_next_as_soon_as_it_has_answered() -> None:
    watch = settled().change().give("a").change().at(9.0).answered().at(9.0)
    assert watch.told.count("wanted") == 3


def test_a_refresh_extends_moves_the_target_and_is_notified() -> None:
    watch = settled().at(500.0).refresh(300, flow=OTHER, contact="10.0.0.9:5062")
    assert (watch.status, watch.answers[-1].headers.get("expires")) == (200, "300")
    watch.give("again")
    assert str(watch.sent[-1].uri) == "sip:alice@10.0.0.9:5062"
    assert watch.machine.dialog.flow == OTHER
    assert watch.state == "active;expires=300"
    watch.answered().at(799.0)
    assert not watch.machine.is_ending


def test_a_refresh_while_a_notify_is_under_way_is_notified_after_it() -> None:
    watch = settled().change().give("a").refresh()
    assert len(watch.sent) == 2
    watch.answered().at(2.0)
    assert watch.machine.is_asking


def test_without_refresh_it_ends_with_the_reason_timeout() -> None:
    watch = settled().at(600.0)
    assert watch.machine.is_ending
    watch.give("last")
    assert watch.state == "terminated;reason=timeout"
    assert watch.sent[-1].body == b"last"
    assert watch.answered().is_finished


def test_expires_0_ends_it_with_the_full_state() -> None:
    watch = settled().refresh(0)
    assert (watch.status, watch.answers[-1].headers.get("expires")) == (200, "0")
    watch.give("last")
    assert watch.state == "terminated;reason=timeout"
    assert watch.answered().is_finished


@pytest.mark.parametrize(
    ("reason", "later_s", "written"),
    [("noresource", 0, "noresource"), ("deactivated", 0, "deactivated"), ("probation", 10, "probation;retry-after=10")],
)
def test_we_may_end_it_with_a_reason(reason: str, later_s: int, written: str) -> None:
    watch = settled().end(reason, later_s).give("last")
    assert watch.state == f"terminated;reason={written}"
    assert watch.end("timeout").change().answered().told.count("ended") == 1


def test_an_end_while_a_notify_is_under_way_waits_for_its_answer() -> None:
    watch = settled().change().give("a").end("noresource")
    assert len(watch.sent) == 2
    watch.answered().give("last")
    assert watch.state == "terminated;reason=noresource"


@pytest.mark.parametrize("status", [481, 404, 489, 500, 603])
def test_a_refused_notify_removes_the_subscription(status: int) -> None:
    watch = settled().change().give("a").answered(status)
    assert watch.is_finished
    assert watch.told[-1] == "ended"
    assert watch.machine.deadline is None


@pytest.mark.parametrize("status", [408, 503])
def test_an_undelivered_notify_removes_the_subscription(status: int) -> None:
    watch = settled().change().give("a")
    watch.take(watch.machine.request_failed(watch.sent[-1], status, watch.now))
    assert watch.is_finished


def test_a_481_removes_it_whatever_else_it_says() -> None:
    assert settled().change().give().answered(481, retry_after="5").is_finished


def test_a_refusal_that_says_when_is_tried_again_then_with_the_newest_state() -> None:
    watch = settled().change().give("a").answered(503, retry_after="7")
    assert not watch.change().at(7.9).machine.is_asking
    watch.at(8.1).give("newest").answered()
    assert watch.sent[-1].body == b"newest"
    assert not watch.is_finished


def test_a_provisional_answer_changes_nothing() -> None:
    watch = settled().change().give("a").answered(100)
    assert watch.machine.state is State.NOTIFYING


@pytest.mark.parametrize(
    ("expires", "event", "status"),
    [(5, "dialog", 423), (600, "presence", 489), (600, "dialog;id=2", 489), ("soon", "dialog", 400), (0, "x", 489)],
)
def test_a_bad_refresh_is_refused_and_changes_nothing(expires: object, event: str, status: int) -> None:
    watch = settled().refresh(expires, event=event)
    assert watch.status == status
    assert watch.machine.state is State.QUIET
    assert watch.machine.deadline == START_S + 600
    if status == 423:
        assert watch.answers[-1].headers.get("min-expires") == "60"
    if status == 489:
        assert watch.answers[-1].headers.get("allow-events") == "dialog"


def test_an_overtaken_refresh_is_refused() -> None:
    watch = settled().refresh()
    old = subscribe(cseq=2, tag=watch.machine.dialog.local_tag)
    watch.take(watch.machine.receive_request(KEY, old, UDP, watch.now))
    assert watch.status == 500


@pytest.mark.parametrize("method", ["NOTIFY", "INFO", "MESSAGE"])
def test_other_requests_have_no_place_in_the_dialog(method: str) -> None:
    watch = settled()
    stray = request(method, cseq=9, to_tag=watch.machine.dialog.local_tag)
    watch.take(watch.machine.receive_request(KEY, stray, UDP, watch.now))
    assert watch.status == 405


@pytest.mark.parametrize("expires", [600, 0])
@pytest.mark.parametrize("steps", ["asking", "notifying", "waiting"])
def test_a_subscribe_to_what_is_ending_gets_481(expires: int, steps: str) -> None:
    watch = settled()
    if steps == "waiting":
        watch.change().give()
    watch.end("noresource")
    if steps == "notifying":
        watch.give()
    assert watch.refresh(expires).status == 481
    assert watch.machine.is_ending


def test_a_document_that_was_not_asked_for_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        settled().give()


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, 1800), (60, 60), (59, None), (1, None), (0, 0), (3600, 3600), (2**32, 3600)]
)
def test_lifetimes_are_granted_within_the_limits(asked: int | None, granted: int | None) -> None:
    assert SubscriptionPolicy().lifetime(subscribe(asked)) == granted


def test_where_requests_go_is_the_contact_of_the_subscriber() -> None:
    assert subscribe().headers.first(Contact) is not None


@pytest.mark.parametrize("steps", ["asking", "notifying", "resting", "quiet"])
def test_a_resumed_copy_goes_on_with_numbers_beyond_all_that_were_sent(steps: str) -> None:
    watch = settled()
    if steps != "quiet":
        watch.change()
    if steps in ("notifying", "resting"):
        watch.give()
    if steps == "resting":
        watch.answered()
    old = thaw(freeze(watch.machine), ids=CountingIds("w1"))
    if steps == "notifying":
        watch.answered()
    for _ in range(3):
        watch.at(watch.now - START_S + 1).change().give().answered()
    last, version = watch.sent[-1].cseq.number, watch.machine.version
    watch.machine = old
    watch.take(old.resume(TCP, watch.now))
    assert (old.state, watch.sent[-1].cseq.number) == (State.QUIET, last)
    watch.change().give()
    assert watch.sent[-1].cseq.number > last
    assert old.version > version
    assert old.dialog.flow == TCP
    assert watch.state.startswith("active;expires=")


def test_one_that_was_ending_is_not_resumed() -> None:
    watch = settled().end("noresource")
    assert watch.machine.resume(UDP, watch.now) == ()
    assert watch.machine.is_ending


@pytest.mark.parametrize(
    ("event", "interval_s"),
    [
        ("dialog", 0.5),
        ("dialog;min-interval=10", 10.0),
        ("dialog;min-interval=0", 0.5),
        ("dialog;min-interval=99999", 60.0),
        ("dialog;min-interval=soon", 0.5),
        ("dialog;min-interval=-1", 0.5),
        ("dialog;min-interval=٣", 0.5),
        ("dialog;min-interval", 0.5),
    ],
)
def test_a_subscriber_may_ask_for_a_slower_pace(event: str, interval_s: float) -> None:
    watch = Watch(event=event).give()
    paced = f";min-interval={interval_s:g}" if interval_s > 0.5 else ""
    assert watch.state == f"active;expires=600{paced}"
    watch.answered().change().change()
    assert watch.at(interval_s - 0.01).told == ["wanted"]
    assert watch.at(interval_s).told == ["wanted"] * 2
    assert thaw(freeze(watch.machine), ids=CountingIds()).interval_s == interval_s


def test_a_refresh_may_change_the_pace_and_is_answered_with_state_at_once() -> None:
    watch = Watch(event="dialog;min-interval=30").give().answered()
    watch.at(5.0).refresh(event="dialog").give()
    assert watch.state == "active;expires=600"
    assert watch.answered().change().at(5.6).told == ["wanted"] * 3
