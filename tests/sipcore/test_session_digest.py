"""Challenges of our INVITE, re-INVITE, UPDATE and BYE (RFC 3261 §22): answered with the next request of the call."""

import pytest

from sipcore.auth.client import Account, DigestClient
from sipcore.auth.digest import ha1, verify
from sipcore.build import new_request, response_to
from sipcore.dialog.session import InviteSession
from sipcore.dialog.session_table import State
from sipcore.events import (
    InviteArrived,
    OfferReceived,
    SessionAnswered,
    SessionEnded,
    SessionModified,
    SessionUpdated,
    StackEvent,
)
from sipcore.headers import Authorization, ProxyAuthorization
from sipcore.headers.auth import Credentials
from sipcore.message import Request
from sipcore.uri import parse_uri
from tests.support.callers import Pair, answering
from tests.support.fakenet import ANSWER, OFFER, FakeNet, Node

PASSWORD = "Secret_1"
CHALLENGES = {
    401: ("WWW-Authenticate", 'Digest realm="p", nonce="{}", qop="auth", algorithm=SHA-256'),
    407: ("Proxy-Authenticate", 'Digest realm="p", nonce="{}", qop="auth"'),
}


class Provider:
    """Answers calls with a challenge until they carry the right password."""

    def __init__(self, status: int = 401, password: str = PASSWORD, *, new_nonces: bool = False) -> None:
        self.status, self.password, self.new_nonces = status, password, new_nonces
        self.invites: list[Request] = []
        self.net = FakeNet()
        self.caller = self.net.add("caller")
        self.net.add("provider", self._handle)

    def _handle(self, node: Node, event: StackEvent) -> None:
        if not isinstance(event, InviteArrived):
            return
        self.invites.append(event.request)
        if self._is_proven(event.request):
            session = node.stack.accept_session(event.key, "<sip:provider@provider>")
            assert session is not None
            node.perform(session, "answer", ANSWER)
            return
        name, text = CHALLENGES[self.status]
        nonce = f"n{len(self.invites)}" if self.new_nonces else "n1"
        text = text.format(nonce) + (", stale=true" if self.new_nonces else "")
        node.stack.respond(
            event.key, response_to(event.request, self.status, to_tag="p", extra=[(name, text)]), node.now
        )

    def _is_proven(self, request: Request) -> bool:
        found = credentials(request)
        return bool(found) and not self.new_nonces and is_right(found[0], self.password, "INVITE")

    def call(self) -> InviteSession:
        node = self.caller
        request = new_request(
            "INVITE",
            parse_uri("sip:100@provider"),
            from_="<sip:7495@caller>;tag=1",
            to="<sip:100@provider>",
            call_id="call",
            cseq=1,
            body=OFFER,
        )
        digest = DigestClient([Account("7495", PASSWORD)], node.stack.ids)
        flow = node.flow_to("provider")
        session = node.stack.invite(request, flow, "<sip:7495@caller>", node.now, digest=digest)
        self.net.settle()
        self.net.step_until(5)
        return session

    def sent(self, method: str) -> list[Request]:
        messages = [packet.message for packet in self.caller.sent]
        return [each for each in messages if isinstance(each, Request) and each.method == method]


def is_right(found: Credentials, password: str, method: str) -> bool:
    return verify(found, ha1(found.username, found.realm, password, found.algorithm), method)


def credentials(request: Request) -> list[Credentials]:
    return [*request.headers.all(Authorization), *request.headers.all(ProxyAuthorization)]


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenged_call_goes_on_with_credentials(status: int) -> None:
    provider = Provider(status)
    session = provider.call()
    first, second = provider.invites
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert first.via.branch != second.via.branch
    assert provider.caller.told() == ["SessionAnswered"]
    assert session.state is State.CONFIRMED
    (ack,) = [each for each in provider.sent("ACK") if each.cseq.number == 2]
    assert [str(each) for each in credentials(ack)] == [str(each) for each in credentials(second)]


def test_what_follows_in_the_dialog_carries_credentials_with_the_next_count() -> None:
    provider = Provider()
    session = provider.call()
    provider.caller.perform(session, "end")
    provider.net.run_out()
    (bye,) = provider.sent("BYE")
    (found,) = credentials(bye)
    assert found.nc == "00000002"
    assert is_right(found, PASSWORD, "BYE")


def test_a_wrong_password_ends_the_call_with_the_challenge() -> None:
    provider = Provider(password="another")
    provider.call()
    assert len(provider.invites) == 2
    (ended,) = [event for event in provider.caller.events if isinstance(event, SessionEnded)]
    assert ended.status == 401


def test_a_server_with_ever_new_nonces_is_left_in_the_end() -> None:
    provider = Provider(new_nonces=True)
    provider.call()
    assert len(provider.invites) == 5
    assert provider.caller.told() == ["SessionEnded"]


def test_a_challenged_bye_is_sent_again_with_credentials() -> None:
    provider = Provider()
    session = provider.call()
    assert session.dialog is not None
    provider.caller.perform(session, "end")
    (bye,) = provider.sent("BYE")
    challenge = response_to(bye, 407, extra=[("Proxy-Authenticate", CHALLENGES[407][1].format("n9"))])
    provider.net.inject(bytes(challenge), "caller", "provider")
    again = provider.sent("BYE")[-1]
    assert again.cseq.number == bye.cseq.number + 1
    assert [each.nonce for each in again.headers.all(ProxyAuthorization)] == ["n9"]
    provider.net.run_out()
    assert session.state is State.ENDED


def test_without_a_login_a_challenge_is_the_end() -> None:
    provider = Provider()
    caller = provider.caller
    caller.call("provider")
    provider.net.step_until(5)
    assert caller.told(SessionAnswered) == []
    assert caller.told() == ["SessionEnded"]


def proving() -> Pair:
    """A call that stands, whose caller has a login."""
    pair = Pair().established()
    pair.a.digest = DigestClient([Account("7495", PASSWORD)], pair.alice.stack.ids)
    return pair


def challenged(pair: Pair, method: str, status: int, times: int, nonce: str = "n1") -> list[Request]:
    """Bob's side challenges the next requests of that method."""
    name, text = CHALLENGES[status]
    fields = {name.replace("-", "_"): text.format(nonce)}
    return answering(pair.bob, status, times, method, **fields)


def outcome(pair: Pair) -> list[SessionModified | SessionUpdated]:
    return [each for each in pair.alice.session_events(pair.a) if isinstance(each, SessionModified | SessionUpdated)]


def accept_all(pair: Pair) -> None:
    pair.bob.handler = lambda node, event: (
        node.perform(pair.b, "accept_offer", ANSWER) if isinstance(event, OfferReceived) else None
    )


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("status", [401, 407])
def test_a_challenged_change_goes_on_with_credentials(method: str, status: int) -> None:
    pair = proving()
    accept_all(pair)
    taken = challenged(pair, method, status, 1)
    if method == "INVITE":
        pair.alice.perform(pair.a, "modify", OFFER)
    else:
        pair.alice.perform(pair.a, "update", sdp=OFFER)
    pair.net.step_until(5)
    again = pair.requests(method)[-1]
    assert again.cseq.number == taken[0].cseq.number + 1
    assert is_right(credentials(again)[0], PASSWORD, method)
    assert [(type(each), each.status) for each in outcome(pair)] == [(SessionModified, 200)]
    if method == "INVITE":
        ack = pair.requests("ACK")[-1]
        assert [str(each) for each in credentials(ack)] == [str(each) for each in credentials(again)]


def test_a_challenged_plain_update_goes_on_with_credentials() -> None:
    pair = proving()
    challenged(pair, "UPDATE", 407, 1)
    pair.alice.perform(pair.a, "update", extra=[("P-Asserted-Identity", "<sip:103@zvon>")])
    pair.net.step_until(5)
    first, again = pair.requests("UPDATE")
    assert again.headers.get("p-asserted-identity") == first.headers.get("p-asserted-identity")
    assert is_right(credentials(again)[0], PASSWORD, "UPDATE")
    assert [(type(each), each.status) for each in outcome(pair)] == [(SessionUpdated, 200)]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_change_with_a_wrong_password_is_refused_and_the_call_goes_on(method: str) -> None:
    pair = proving()
    taken = challenged(pair, method, 401, 99)
    pair.alice.perform(pair.a, *(("modify", OFFER) if method == "INVITE" else ("update",)))
    pair.net.step_until(5)
    assert len(taken) == 2
    assert [each.status for each in outcome(pair)] == [401]
    assert pair.a.state is State.CONFIRMED


def test_challenges_of_one_change_do_not_count_against_the_next() -> None:
    pair = proving()
    accept_all(pair)
    for turn in range(6):
        challenged(pair, "INVITE", 401, 1, nonce=f"turn{turn}")
        pair.alice.perform(pair.a, "modify", OFFER)
        pair.net.step_until(5 * (turn + 1))
    assert [each.status for each in outcome(pair)] == [200] * 6
